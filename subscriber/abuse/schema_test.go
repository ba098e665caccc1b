package abuse_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"net/mail"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"sluice/internal/shared"
)

// schemas reads JSON schemas as far as those of XARF go. An unknown keyword is an error,
// so that nothing is passed over.
type schemas struct {
	t     testing.TB
	dir   string
	files map[string]map[string]any
}

func loadSchemas(t testing.TB) *schemas {
	return &schemas{t: t, dir: shared.Dir(t, "suites", "xarf", "schemas", "v4"), files: map[string]map[string]any{}}
}

func (s *schemas) file(path string) map[string]any {
	if f := s.files[path]; f != nil {
		return f
	}
	b, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	var f map[string]any
	if err := json.Unmarshal(b, &f); err != nil {
		s.t.Fatalf("%s: %v", path, err)
	}
	s.files[path] = f
	return f
}

// validate says what is wrong with a file by the master schema.
func (s *schemas) validate(b []byte) []string {
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		return []string{err.Error()}
	}
	path := filepath.Join(s.dir, "xarf-v4-master.json")
	return s.check(path, s.file(path), v, "")
}

var silent = []string{"$schema", "$id", "$defs", "title", "description", "examples", "default", "then", "else", "x-recommended"}

func (s *schemas) check(path string, schema map[string]any, v any, at string) (bad []string) {
	fail := func(format string, args ...any) { bad = append(bad, at+": "+fmt.Sprintf(format, args...)) }
	sub := func(x any, v any, at string) []string { return s.check(path, x.(map[string]any), v, at) }
	object, isObject := v.(map[string]any)
	text, isText := v.(string)
	number, isNumber := v.(float64)
	list, isList := v.([]any)
	for word, x := range schema {
		switch word {
		case "$ref":
			file, part, _ := strings.Cut(x.(string), "#")
			to := path
			if file != "" {
				to = filepath.Join(filepath.Dir(path), filepath.FromSlash(file))
			}
			var target any = s.file(to)
			for name := range strings.SplitSeq(strings.Trim(part, "/"), "/") {
				if name != "" {
					target = target.(map[string]any)[name]
				}
			}
			bad = append(bad, s.check(to, target.(map[string]any), v, at)...)
		case "allOf":
			for _, x := range x.([]any) {
				bad = append(bad, sub(x, v, at)...)
			}
		case "anyOf":
			if !slices.ContainsFunc(x.([]any), func(x any) bool { return len(sub(x, v, at)) == 0 }) {
				fail("none of the forms")
			}
		case "if":
			branch := "then"
			if len(sub(x, v, at)) > 0 {
				branch = "else"
			}
			if y, ok := schema[branch]; ok {
				bad = append(bad, sub(y, v, at)...)
			}
		case "type":
			ok := map[string]bool{"object": isObject, "string": isText, "number": isNumber, "integer": isNumber && number == math.Trunc(number), "array": isList}
			_, isBool := v.(bool)
			ok["boolean"] = isBool
			if !ok[x.(string)] {
				fail("not of type %s", x)
			}
		case "required":
			for _, name := range x.([]any) {
				if _, ok := object[name.(string)]; isObject && !ok {
					fail("lacks %s", name)
				}
			}
		case "properties":
			for name, x := range x.(map[string]any) {
				if y, ok := object[name]; ok {
					bad = append(bad, sub(x, y, at+"/"+name)...)
				}
			}
		case "additionalProperties":
			known, _ := schema["properties"].(map[string]any)
			for name := range object {
				if _, ok := known[name]; x == false && !ok {
					fail("%s isn't known", name)
				}
			}
		case "items":
			for i, y := range list {
				bad = append(bad, sub(x, y, fmt.Sprint(at, "/", i))...)
			}
		case "const":
			if v != x {
				fail("not %v", x)
			}
		case "enum":
			if !slices.Contains(x.([]any), v) {
				fail("%v isn't one of %v", v, x)
			}
		case "pattern":
			if isText && !regexp.MustCompile(x.(string)).MatchString(text) {
				fail("%q doesn't match %s", text, x)
			}
		case "minLength":
			if isText && float64(utf8.RuneCountInString(text)) < x.(float64) {
				fail("too short")
			}
		case "maxLength":
			if isText && float64(utf8.RuneCountInString(text)) > x.(float64) {
				fail("too long")
			}
		case "minimum":
			if isNumber && number < x.(float64) {
				fail("below %v", x)
			}
		case "maximum":
			if isNumber && number > x.(float64) {
				fail("above %v", x)
			}
		case "minItems":
			if isList && float64(len(list)) < x.(float64) {
				fail("too few")
			}
		case "maxItems":
			if isList && float64(len(list)) > x.(float64) {
				fail("too many")
			}
		case "format":
			if isText && !formats[x.(string)](text) {
				fail("%q isn't a %s", text, x)
			}
		case "contentEncoding":
			if _, err := base64.StdEncoding.DecodeString(text); isText && err != nil {
				fail("%v", err)
			}
		default:
			if !slices.Contains(silent, word) {
				s.t.Fatalf("%s: the keyword %q isn't known here", path, word)
			}
		}
	}
	return bad
}

var (
	uuids = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	hosts = regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$`)
)

var formats = map[string]func(string) bool{
	"uuid":      uuids.MatchString,
	"hostname":  hosts.MatchString,
	"date-time": func(s string) bool { _, err := time.Parse(time.RFC3339, s); return err == nil },
	"date":      func(s string) bool { _, err := time.Parse(time.DateOnly, s); return err == nil },
	"email":     func(s string) bool { a, err := mail.ParseAddress(s); return err == nil && a.Address == s },
	"uri":       func(s string) bool { u, err := url.Parse(s); return err == nil && u.Scheme != "" },
	"ipv4":      func(s string) bool { a, err := netip.ParseAddr(s); return err == nil && a.Is4() },
	"ipv6":      func(s string) bool { a, err := netip.ParseAddr(s); return err == nil && a.Is6() },
}

// TestSchemas tries the validator itself: the published samples are valid, and spoiled
// ones aren't.
func TestSchemas(t *testing.T) {
	s := loadSchemas(t)
	paths, err := filepath.Glob(filepath.Join(filepath.Dir(filepath.Dir(s.dir)), "samples", "v4", "*.json"))
	if err != nil || len(paths) < 30 {
		t.Fatal(len(paths), err)
	}
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		if bad := s.validate(b); len(bad) > 0 {
			t.Errorf("%s: %v", filepath.Base(p), bad)
		}
		for _, c := range [][2]string{{`"report_id": "`, `"report_id": "x`}, {`"xarf_version": "4`, `"xarf_version": "3`}, {`"timestamp": "20`, `"timestamp": "on 20`}, {`"type": "`, `"type": "no_`},
			{`"org": "`, `"who": "x", "org": "`}, {`"source_identifier"`, `"source"`}} {
			if bad := s.validate([]byte(strings.Replace(string(b), c[0], c[1], 1))); len(bad) == 0 {
				t.Errorf("%s with %s is taken for valid", filepath.Base(p), c[1])
			}
		}
	}
}
