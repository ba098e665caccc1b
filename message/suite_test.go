package message_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"sluice/internal/shared"
	"sluice/message"
)

// The published suites are read at run time. A case that fails must stand in
// testdata/known_failures.txt with its reason, and one that stands there must
// fail: the list may only shrink.

// known reads the list's names that begin with prefix.
func known(t *testing.T, prefix string) map[string]bool {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "known_failures.txt"))
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string]bool)
	for line := range strings.Lines(string(b)) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		if strings.HasPrefix(name, prefix) {
			out[name] = true
		}
	}
	return out
}

// judge compares one case's outcome with the list.
func judge(t *testing.T, list map[string]bool, name string, err error) {
	t.Helper()
	switch {
	case err != nil && !list[name]:
		t.Errorf("%s: %v", name, err)
	case err == nil && list[name]:
		t.Errorf("%s passes: take it off the list of known failures", name)
	}
	delete(list, name)
}

// done reports listed cases that don't exist.
func done(t *testing.T, list map[string]bool, count int) {
	t.Helper()
	if count == 0 {
		t.Error("the suite has no cases")
	}
	for name := range list {
		t.Errorf("%s is on the list of known failures, but no such case was run", name)
	}
	t.Logf("%d cases", count)
}

// shape writes a tree as text: "multipart(leaf message(leaf))". Ghosts are left
// out: the suites know one reading.
func shape(m *message.Message, p *message.Part) string {
	var b strings.Builder
	type step struct {
		m    *message.Message
		p    *message.Part
		text string
	}
	todo := []step{{m, p, ""}}
	for len(todo) > 0 {
		s := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if s.p == nil {
			b.WriteString(s.text)
			continue
		}
		var kids []step
		kind := "leaf"
		if in := s.m.Inner(s.p); in != nil && s.p.IsMessage() {
			kind, kids = "message", []step{{in, in.Parts[0], ""}}
		} else if len(s.p.Children) > 0 {
			kind = "multipart"
			if s.p.IsMessage() {
				kind = "message"
			}
			for _, c := range s.p.Children {
				if !c.Ghost || s.p.Ghost {
					kids = append(kids, step{s.m, c, ""})
				}
			}
		}
		if kids == nil && s.p.IsMultipart() {
			b.WriteString("multipart( ) ")
			continue
		}
		if kids == nil {
			b.WriteString("leaf ")
			continue
		}
		b.WriteString(kind + "( ")
		todo = append(todo, step{text: ") "})
		for i := len(kids) - 1; i >= 0; i-- {
			todo = append(todo, kids[i])
		}
	}
	return strings.TrimSpace(b.String())
}

// leaves lists the leaves in order, with the message they belong to.
func leaves(m *message.Message) (out []func() (decoded []byte, text string)) {
	for mm, p := range m.All() {
		if mm != m && mm.Parts[0].Ghost {
			continue // a second reading
		}
		if (len(p.Children) == 0 || strings.HasPrefix(p.Type, "text/")) && !p.Ghost && !p.IsMultipart() && mm.Inner(p) == nil {
			out = append(out, func() ([]byte, string) { return mm.Decoded(p), mm.Text(p) })
		}
	}
	return out
}

// flat makes line ends and trailing white space equal.
func flat(s string) string {
	return strings.TrimRight(strings.ReplaceAll(s, "\r\n", "\n"), "\r\n\t ")
}

func TestMime4j(t *testing.T) {
	dir := shared.Dir(t, "suites", "mime-mime4j", "core", "src", "test", "resources")
	list := known(t, "mime4j/")
	files, _ := filepath.Glob(filepath.Join(dir, "*", "*_decoded.xml"))
	for _, file := range files {
		base := strings.TrimSuffix(file, "_decoded.xml")
		raw, err := os.ReadFile(base + ".msg")
		if err != nil {
			continue
		}
		m := message.Parse(raw, message.DefaultLimits())
		if err := check(m); err != nil {
			t.Errorf("%s: %v", base, err)
		}
		judge(t, list, "mime4j/"+filepath.Base(base), mime4jCase(m, file))
	}
	done(t, list, len(files))
}

// mime4jCase compares with one of mime4j's trees.
func mime4jCase(m *message.Message, file string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var want strings.Builder
	var bodies []string
	d := xml.NewDecoder(bytes.NewReader(b))
	d.Strict = false
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	var stack []string
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("the suite's file: %w", err)
		}
		switch e := tok.(type) {
		case xml.StartElement:
			name := e.Name.Local
			switch name {
			case "multipart":
				want.WriteString("multipart( ")
			case "message":
				if len(stack) > 0 {
					want.WriteString("message( ")
				}
			case "text-body", "binary-body":
				want.WriteString("leaf ")
				for _, a := range e.Attr {
					if a.Name.Local == "name" {
						bodies = append(bodies, filepath.Join(filepath.Dir(file), a.Value))
					}
				}
			}
			stack = append(stack, name)
		case xml.EndElement:
			stack = stack[:len(stack)-1]
			if e.Name.Local == "multipart" || e.Name.Local == "message" && len(stack) > 0 {
				want.WriteString(") ")
			}
		}
	}
	got := shape(m, m.Parts[0])
	if w := strings.TrimSpace(want.String()); got != w {
		return fmt.Errorf("tree\n got %s\nwant %s", got, w)
	}
	ls := leaves(m)
	if len(ls) != len(bodies) {
		return fmt.Errorf("%d leaves, want %d", len(ls), len(bodies))
	}
	for i, name := range bodies {
		want, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		decoded, text := ls[i]()
		if w := flat(string(want)); flat(string(decoded)) != w && flat(text) != w {
			return fmt.Errorf("leaf %d\n got %.300q\nwant %.300q", i, decoded, want)
		}
	}
	return nil
}

// jsonMessage is mail-parser's form of a message.
type jsonMessage struct {
	Parts []struct {
		Body json.RawMessage `json:"body"`
	} `json:"parts"`
}

func TestMailParser(t *testing.T) {
	dir := shared.Dir(t, "suites", "mime-mail-parser", "resources", "eml")
	list := known(t, "mail-parser/")
	files, _ := filepath.Glob(filepath.Join(dir, "*", "*.json"))
	for _, file := range files {
		base := strings.TrimSuffix(file, ".json")
		raw, err := os.ReadFile(strings.TrimSuffix(base, ".crlf") + ".eml")
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(base, ".crlf") {
			raw = bytes.ReplaceAll(bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var want jsonMessage
		if err := json.Unmarshal(b, &want); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		m := message.Parse(raw, message.DefaultLimits())
		if err := check(m); err != nil {
			t.Errorf("%s: %v", base, err)
		}
		name := "mail-parser/" + filepath.Base(filepath.Dir(file)) + "/" + filepath.Base(base)
		judge(t, list, name, mailParserCase(m, &want))
	}
	done(t, list, len(files))
}

// mailParserCase compares the tree and all text bodies.
func mailParserCase(m *message.Message, want *jsonMessage) error {
	var bodies []string
	w, err := jsonShape(want, &bodies, 0)
	if err != nil {
		return err
	}
	if got := shape(m, m.Parts[0]); got != w {
		return fmt.Errorf("tree\n got %s\nwant %s", got, w)
	}
	ls := leaves(m)
	if len(ls) != len(bodies) {
		return fmt.Errorf("%d leaves, want %d", len(ls), len(bodies))
	}
	for i, body := range bodies {
		decoded, text := ls[i]()
		if w := flat(body); flat(text) != w && flat(string(decoded)) != w {
			return fmt.Errorf("leaf %d\n got %.300q\nwant %.300q", i, text, body)
		}
	}
	return nil
}

// jsonShape writes the expected tree and collects its bodies.
func jsonShape(j *jsonMessage, bodies *[]string, depth int) (string, error) {
	if depth > 20 {
		return "", errors.New("too deep")
	}
	var visit func(id, depth int) (string, error)
	visit = func(id, depth int) (string, error) {
		if id >= len(j.Parts) || depth > 50 {
			return "", fmt.Errorf("part %d", id)
		}
		var body struct {
			Multipart            []int
			Message              *jsonMessage
			Text, Html           *string
			Binary, InlineBinary []int
		}
		if err := json.Unmarshal(j.Parts[id].Body, &body); err != nil {
			return "", err
		}
		switch {
		case body.Message != nil:
			s, err := jsonShape(body.Message, bodies, depth+1)
			return "message( " + s + " )", err
		case body.Multipart != nil:
			s := "multipart( "
			for _, c := range body.Multipart {
				k, err := visit(c, depth+1)
				if err != nil {
					return "", err
				}
				s += k + " "
			}
			return s + ")", nil
		}
		switch {
		case body.Text != nil:
			*bodies = append(*bodies, *body.Text)
		case body.Html != nil:
			*bodies = append(*bodies, *body.Html)
		default:
			b := make([]byte, 0, len(body.Binary)+len(body.InlineBinary))
			for _, c := range append(body.Binary, body.InlineBinary...) {
				b = append(b, byte(c))
			}
			*bodies = append(*bodies, string(b))
		}
		return "leaf", nil
	}
	return visit(0, depth)
}

func TestMimeTools(t *testing.T) {
	dir := shared.Dir(t, "suites", "mime-tools-perl", "testmsgs")
	list := known(t, "mime-tools/")
	files, _ := filepath.Glob(filepath.Join(dir, "*.ref"))
	count := 0
	for _, file := range files {
		ref, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		msg := regexp.MustCompile(`"Message"\s*=>\s*"testmsgs/([^"]+)"`).FindSubmatch(ref)
		if msg == nil {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(dir, string(msg[1])))
		if err != nil {
			continue
		}
		count++
		m := message.Parse(raw, message.DefaultLimits())
		if err := check(m); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		judge(t, list, "mime-tools/"+strings.TrimSuffix(filepath.Base(file), ".ref"), mimeToolsCase(m, string(ref)))
	}
	done(t, list, count)
}

var (
	refBlock = regexp.MustCompile(`(?s)"(Msg|Part_[0-9_]+)"\s*=>\s*\{(.*?)\}`)
	refField = regexp.MustCompile(`"(\w+)"\s*=>\s*(?:qq\{([^}]*)|"((?:[^"\\]|\\.)*)"|(\d+))`)
)

// mimeToolsCase compares type, encoding, name, charset, boundary and size.
func mimeToolsCase(m *message.Message, ref string) error {
	byPath := make(map[string]*message.Part)
	for _, p := range m.Parts {
		if !p.Ghost {
			byPath[p.Path] = p
		}
	}
	var errs []error
	ref = regexp.MustCompile(`qq\{([^}]*)\}`).ReplaceAllString(ref, `"$1"`)
	for _, block := range refBlock.FindAllStringSubmatch(ref, -1) {
		path := strings.ReplaceAll(strings.TrimPrefix(block[1], "Part_"), "_", ".")
		if block[1] == "Msg" {
			path = ""
		}
		p := byPath[path]
		if p == nil {
			errs = append(errs, fmt.Errorf("no part %q", path))
			continue
		}
		for _, f := range refField.FindAllStringSubmatch(block[2], -1) {
			want := strings.ReplaceAll(strings.ReplaceAll(f[2]+f[3]+f[4], `\@`, "@"), `\"`, `"`)
			got := want
			switch f[1] {
			case "Type":
				got = p.Type
			case "Encoding":
				got = p.Encoding
			case "Filename":
				got = p.Filename
			case "Disposition":
				got = p.Disposition
			case "Charset":
				got, want = p.Charset, strings.ToLower(want)
			case "Boundary":
				got = p.Params["boundary"]
			case "Size":
				if n, _ := strconv.Atoi(want); len(p.Children) == 0 && len(flat(string(m.Decoded(p)))) != n {
					if l := len(m.Decoded(p)); l != n && l+1 != n && l-1 != n {
						got = strconv.Itoa(l)
					}
				}
			case "Subject":
				got = p.Header.Get("Subject")
			}
			if got != want {
				errs = append(errs, fmt.Errorf("part %q: %s %q, want %q", path, f[1], got, want))
			}
		}
	}
	return errors.Join(errs...)
}

// TestEnmime parses the samples of a suite whose expectations are code: here only
// the invariants and that every sample with a body shows text or has a file.
func TestEnmime(t *testing.T) {
	dir := shared.Dir(t, "suites", "mime-enmime", "testdata")
	list := known(t, "enmime/")
	files, _ := filepath.Glob(filepath.Join(dir, "*", "*.raw"))
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		m := message.Parse(raw, message.DefaultLimits())
		err = check(m)
		if v := m.View(); err == nil && len(m.Body(m.Parts[0])) > 1 && v.Text == "" && v.Plain == "" && len(m.Attachments()) == 0 {
			err = errors.New("neither text nor attachment")
		}
		judge(t, list, "enmime/"+strings.TrimSuffix(filepath.Base(file), ".raw"), err)
	}
	done(t, list, len(files))
}
