package header_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/internal/shared"
	"sluice/message/header"
)

// knownFailures lists cases of the suite by number, with the reason for which
// ours answers in another way. It may only shrink.
var knownFailures = map[string]string{
	"address/8":       "comments are dropped where there is a name",
	"address/9":       "an escaped line end inside a comment",
	"address/10":      "comments are dropped where there is a name",
	"address/11":      "a group of comments only has no mailbox",
	"address/13":      "the route is cut off, white space around dots too",
	"address/14":      "comments are dropped where there is a name",
	"address/22":      "comments are dropped where there is a name",
	"address/56":      "comments are dropped where there is a name",
	"content_type/31": "the charset is named again in later sections, against RFC 2231 4.1",
	"content_type/34": "RFC 2047 6.2: white space between encoded words goes",
	"content_type/55": "white space at the end of an open quoted string goes",
	"content_type/56": "white space at the end of an open quoted string goes",
	"content_type/61": "nonsense in place of RFC 2231 section numbers",
	"unstructured/21": "no space is made before an encoded word",
	"unstructured/27": "no space is made before an encoded word",
	"unstructured/28": "no space is made before an encoded word",
}

func load(t *testing.T, name string, to any) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(shared.Dir(t, "suites", "mime-mail-parser", "resources"), name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, to); err != nil {
		t.Fatal(err)
	}
}

// value is what Parse would hand on: the first field, unfolded.
func value(raw string) string {
	h, _ := header.Parse([]byte("X:"+raw), 0, 0)
	return h.Get("X")
}

func judge(t *testing.T, name, got, want string) {
	t.Helper()
	_, listed := knownFailures[name]
	switch {
	case got != want && !listed:
		t.Errorf("%s:\n got %s\nwant %s", name, got, want)
	case got == want && listed:
		t.Errorf("%s passes: take it off the list", name)
	}
}

func TestSuiteAddress(t *testing.T) {
	type addr struct{ Name, Address *string }
	var cases []struct {
		Header   string
		Expected struct {
			List  []addr
			Group []struct {
				Name      *string
				Addresses []addr
			}
		}
	}
	load(t, "address.json", &cases)
	deref := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	for i, c := range cases {
		var want, got []string
		for _, a := range c.Expected.List {
			want = append(want, fmt.Sprintf("%q <%s>", deref(a.Name), strings.ToLower(deref(a.Address))))
		}
		for _, g := range c.Expected.Group {
			for _, a := range g.Addresses {
				want = append(want, fmt.Sprintf("%s: %q <%s>", deref(g.Name), deref(a.Name), strings.ToLower(deref(a.Address))))
			}
		}
		list, _ := header.ParseAddressList(value(c.Header))
		for _, a := range list {
			s := fmt.Sprintf("%q <%s>", a.Name, strings.ToLower(a.String()))
			if len(c.Expected.Group) > 0 {
				s = a.Group + ": " + s
			}
			got = append(got, s)
		}
		judge(t, fmt.Sprintf("address/%d", i), fmt.Sprintf("%q: %s", c.Header, strings.Join(got, ", ")), fmt.Sprintf("%q: %s", c.Header, strings.Join(want, ", ")))
	}
}

func TestSuiteContentType(t *testing.T) {
	var cases []struct {
		Header   string
		Expected *struct {
			Type       string      `json:"c_type"`
			Subtype    *string     `json:"c_subtype"`
			Attributes [][2]string `json:"attributes"`
		}
	}
	load(t, "content_type.json", &cases)
	for i, c := range cases {
		if c.Expected == nil {
			continue // what isn't a type at all is the caller's to judge
		}
		main, params, _ := header.ParseParams(value(c.Header))
		want := c.Expected.Type
		if c.Expected.Subtype != nil {
			want += "/" + *c.Expected.Subtype
		}
		main = strings.TrimSuffix(strings.ReplaceAll(main, " ", ""), "/")
		got := main
		for _, a := range c.Expected.Attributes {
			if strings.HasSuffix(a[0], "-language") {
				continue
			}
			want += fmt.Sprintf("; %s=%q", a[0], a[1])
			got += fmt.Sprintf("; %s=%q", a[0], params[a[0]])
		}
		judge(t, fmt.Sprintf("content_type/%d", i), fmt.Sprintf("%q: %s", c.Header, got), fmt.Sprintf("%q: %s", c.Header, strings.ToLower(want[:len(c.Expected.Type)])+want[len(c.Expected.Type):]))
	}
}

func TestSuiteUnstructured(t *testing.T) {
	var cases []struct{ Header, Expected string }
	load(t, "unstructured.json", &cases)
	for i, c := range cases {
		got := strings.Join(strings.Fields(header.DecodeWords(value(c.Header))), " ")
		want := strings.Join(strings.Fields(c.Expected), " ")
		judge(t, fmt.Sprintf("unstructured/%d", i), fmt.Sprintf("%q: %s", c.Header, got), fmt.Sprintf("%q: %s", c.Header, want))
	}
}
