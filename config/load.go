package config

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// Flags are the few settings of a first try that the command line may give;
// empty ones don't count. They win over the file.
type Flags struct {
	Listen  []string
	Console string
	Data    string
	Domains []string
	Relay   string
}

// Load reads the file at path ("" for none), applies flags, and completes the
// rest with defaults.
func Load(path string, f Flags) (*Config, error) {
	var text []byte
	if path != "" {
		var err error
		if text, err = os.ReadFile(path); err != nil {
			return nil, fmt.Errorf("config: %w", err)
		}
	}
	return Parse(path, text, f)
}

// Parse is Load for text already read; name stands in errors.
func Parse(name string, text []byte, f Flags) (*Config, error) {
	c := Default()
	if err := decode(name, text, c); err != nil {
		return nil, err
	}
	if err := c.applyFlags(f); err != nil {
		return nil, err
	}
	if err := c.finish(); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(fmt.Appendf(bytes.Clone(text), "\x00%v", f))
	c.sourceHash = hex.EncodeToString(sum[:6])
	return c, nil
}

// decode is strict: an unknown key is an error with its place.
func decode(name string, text []byte, c *Config) error {
	listen := c.Listen
	c.Listen = nil // lists in the file replace the default, they don't add to it
	d := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields()
	err := d.Decode(c)
	if len(c.Listen) == 0 {
		c.Listen = listen
	}
	if missing, ok := errors.AsType[*toml.StrictMissingError](err); ok && len(missing.Errors) > 0 {
		e := missing.Errors[0]
		row, col := e.Position()
		return fmt.Errorf("config: %s:%d:%d: unknown key %q", name, row, col, join(e.Key()))
	}
	if bad, ok := errors.AsType[*toml.DecodeError](err); ok {
		row, col := bad.Position()
		return fmt.Errorf("config: %s:%d:%d: %s", name, row, col, plainTOML(bad.Error()))
	}
	if err != nil {
		return fmt.Errorf("config: %s: %w", name, err)
	}
	return nil
}

func join(k []string) string {
	var b bytes.Buffer
	for i, s := range k {
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(s)
	}
	return b.String()
}

// wrongType is how the library reports a value of the wrong type: in words of
// its own structs, which no admin knows.
var wrongType = regexp.MustCompile(`^cannot decode TOML (.*?) into (?:struct field \S+|a?n? ?.*?) of type (\S+)$`)

var typeWords = map[string]string{
	"int": "a whole number", "string": "a text in quotes", "bool": "true or false", "float64": "a number",
	"config.Time": `a quoted date such as "2027-01-31"`, "config.Start": `a quoted date such as "2027-01-31"`, "config.Size": `a quoted size such as "50MB"`,
	"config.Duration": `a quoted time such as "90s" or "30d"`, "config.Pause": `a quoted time such as "5s", or "off"`,
}

func plainTOML(s string) string {
	s = strings.TrimPrefix(s, "toml: ")
	m := wrongType.FindStringSubmatch(s)
	if m == nil {
		return s
	}
	want := typeWords[m[2]]
	if want == "" {
		want = "something else (see docs/sluice.example.toml)"
	}
	return fmt.Sprintf("want %s here, not a TOML %s", want, m[1])
}

func (c *Config) applyFlags(f Flags) error {
	if len(f.Listen) > 0 {
		c.Listen = nil
		for _, a := range f.Listen {
			c.Listen = append(c.Listen, Listener{Address: a})
		}
	}
	if f.Console != "" {
		c.Console.Address = f.Console
	}
	if f.Data != "" {
		c.Data = f.Data
	}
	if len(f.Domains) > 0 {
		c.Domains = []Domain{{Names: f.Domains}}
	}
	if f.Relay != "" {
		var r Route
		if err := r.UnmarshalText([]byte(f.Relay)); err != nil {
			return fmt.Errorf("--relay: %w", err)
		}
		if len(c.Domains) == 0 {
			c.Domains = reservedDomains(c.Hostname)
			c.FirstTry = true
		}
		for i := range c.Domains {
			c.Domains[i].Relay = []Route{r}
		}
	}
	return nil
}
