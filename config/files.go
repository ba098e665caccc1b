package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Files says how attached files are looked into, and what happens to them. All but
// Actions and Extensions is read at the start only.
type Files struct {
	// Off looks into nothing: names and first octets alone count.
	Off bool `toml:"off"`
	// Processes is how many sandboxed processes look into files, Memory how much each
	// may use, Time how long the files of one message may take.
	Processes int      `toml:"processes"`
	Memory    Size     `toml:"memory"`
	Time      Duration `toml:"time"`
	// Depth, Entries, Bytes and Ratio bound what is unpacked for one message.
	Depth   int  `toml:"depth"`
	Entries int  `toml:"entries"`
	Bytes   Size `toml:"bytes"`
	Ratio   int  `toml:"ratio"`
	// Strict starts no process where the kernel can't keep it from files and programs.
	Strict bool `toml:"strict"`
	// Unavailable says what becomes of a message whose files nobody could look into:
	// "defer" or "accept".
	Unavailable string `toml:"unavailable"`
	// Actions are by class of file: deliver, convert, strip, hold or refuse.
	Actions map[string]string `toml:"actions"`
	// Extensions go before classes.
	Extensions map[string]string `toml:"extensions"`
}

// Engines are the scanners beside us. They are read at the start only.
type Engines struct {
	// SkipText spares them messages of plain text and HTML alone.
	SkipText bool       `toml:"skip_text"`
	Clamd    Scanner    `toml:"clamd"`
	ICAP     Scanner    `toml:"icap"`
	Hashes   []HashList `toml:"hashes"`
	// HashZones are lists of digests in the DNS; only a daemon asks them.
	HashZones []HashZone `toml:"hash_zones"`
}

// Scanner is one engine.
type Scanner struct {
	// Addresses are "unix:/run/clamav/clamd.ctl" or "host:3310" for clamd, and
	// "icap://host:1344/service" for ICAP; more than one is failover.
	Addresses []string `toml:"addresses"`
	// Unavailable says what becomes of mail while it gives no answer: "accept", "defer"
	// or "refuse".
	Unavailable string   `toml:"unavailable"`
	MaxSize     Size     `toml:"max_size"`
	Timeout     Duration `toml:"timeout"`
	Parallel    int      `toml:"parallel"`
	// Suspicious are beginnings of signature names that aren't malware for sure (clamd).
	Suspicious []string `toml:"suspicious"`
}

// HashList is a file of digests, one a line: SHA-256 in hexadecimal or TLSH.
type HashList struct {
	Path string `toml:"path"`
	Name string `toml:"name"`
	Kind string `toml:"kind"` // malware (default) or suspicious
}

// HashZone is a list of digests in the DNS.
type HashZone struct {
	Zone    string `toml:"zone"`
	KeyFile string `toml:"key_file"` // a private key, in front of the zone
	Form    string `toml:"form"`     // of the digest: sha1, md5 or sha256-base32
	Behind  string `toml:"behind"`   // what stands between digest and zone: "_file"
	Kind    string `toml:"kind"`     // suspicious (default) or malware
	// TestPoint is a name that the list always has; Untested: it has none.
	TestPoint string `toml:"test_point"`
	Untested  bool   `toml:"untested"`
}

// FileActions are what may be done with a file.
var FileActions = []string{"deliver", "convert", "strip", "hold", "refuse"}

// defaultFiles are those of an ordinary site.
func defaultFiles() Files {
	return Files{Processes: 2, Memory: 512 << 20, Time: dur(8 * time.Second), Depth: 16, Entries: 5000, Bytes: 128 << 20, Ratio: 250, Unavailable: "defer"}
}

func (c *Config) checkFiles() error {
	f := &c.Files
	switch {
	case f.Processes < 1 || f.Processes > 64:
		return fmt.Errorf("config: files: processes %d: want 1 to 64", f.Processes)
	case f.Memory < 64<<20:
		return fmt.Errorf("config: files: memory %d: want 64MB or more", f.Memory)
	case f.Time.Duration < time.Second || f.Time.Duration > time.Minute:
		return fmt.Errorf("config: files: time %v: want 1s to 1m", f.Time)
	case f.Depth < 1 || f.Entries < 1 || f.Bytes < 1<<20 || f.Ratio < 10:
		return fmt.Errorf("config: files: depth %d, entries %d, bytes %d, ratio %d: want at least 1, 1, 1MB, 10", f.Depth, f.Entries, f.Bytes, f.Ratio)
	case f.Unavailable != "defer" && f.Unavailable != "accept":
		return fmt.Errorf("config: files: unavailable %q: want defer or accept", f.Unavailable)
	}
	for _, m := range []map[string]string{f.Actions, f.Extensions} {
		for k, a := range m {
			if !slices.Contains(FileActions, a) {
				return fmt.Errorf("config: files: %s: %q: want one of %s", k, a, strings.Join(FileActions, ", "))
			}
		}
	}
	for k := range f.Extensions {
		if k == "" || k != strings.ToLower(k) || strings.ContainsAny(k, "./ ") {
			return fmt.Errorf("config: files: extensions: %q: want it in lower case, without the dot", k)
		}
	}
	for name, s := range map[string]*Scanner{"clamd": &c.Engines.Clamd, "icap": &c.Engines.ICAP} {
		if !slices.Contains([]string{"", "accept", "defer", "refuse"}, s.Unavailable) {
			return fmt.Errorf("config: engines: %s: unavailable %q: want accept, defer or refuse", name, s.Unavailable)
		}
	}
	for _, h := range c.Engines.Hashes {
		if h.Path == "" || h.Kind != "" && h.Kind != "malware" && h.Kind != "suspicious" {
			return fmt.Errorf("config: engines: hashes %q: want a path, and kind malware or suspicious", h.Path)
		}
	}
	for _, z := range c.Engines.HashZones {
		switch {
		case z.Zone == "":
			return errors.New("config: engines: hash_zones: want a zone")
		case !slices.Contains([]string{"sha1", "md5", "sha256-base32"}, z.Form):
			return fmt.Errorf("config: engines: hash_zones %q: form %q: want sha1, md5 or sha256-base32", z.Zone, z.Form)
		case z.Kind != "" && z.Kind != "malware" && z.Kind != "suspicious":
			return fmt.Errorf("config: engines: hash_zones %q: kind %q: want suspicious or malware", z.Zone, z.Kind)
		}
	}
	return nil
}
