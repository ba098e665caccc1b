package main

import (
	"bufio"
	"embed"
	"fmt"
	"mime"
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"

	"sluice"
	"sluice/check"
	"sluice/check/scam"
	"sluice/message"
)

// caseFiles are written for this purpose: cases/README.md.
//
//go:embed cases
var caseFiles embed.FS

// Case is one message that was written to be a fraud of a class, or its honest twin.
type Case struct {
	Class   string // file name in capitals: the class that the fraud is of, or that the twin could be taken for
	Name    string // file:line
	Lang    string
	Bad     bool
	From    string
	ReplyTo string
	Subject string
	Body    string
	Tie     string // "", known, reply, inside, namesake
	List    bool
	Bulk    bool
	HTML    bool
}

// freeMail stands for a provider of free mailboxes in the cases, which name none.
const freeMail = "@freemail.example"

// unseen names the halves of the cases that were written without a look at the checks.
var unseen = []string{"unseen dev", "unseen final"}

// Cases reads one part of the cases: a folder of cases, or a half of one ("unseen dev").
func Cases(part string) ([]Case, error) {
	folder, half, halved := strings.Cut(part, " ")
	if halved && !slices.Contains(unseen, part) {
		return nil, fmt.Errorf("no half %q", part)
	}
	dir := path.Join("cases", folder)
	files, err := caseFiles.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("no half %q: %w", part, err)
	}
	var out []Case
	for _, f := range files {
		text, err := caseFiles.ReadFile(path.Join(dir, f.Name()))
		if err != nil {
			return nil, err
		}
		list, err := parseCases(f.Name(), string(text))
		if err != nil {
			return nil, err
		}
		out = append(out, list...)
	}
	if halved {
		dev, final := halve(out)
		if half == "dev" {
			return dev, nil
		}
		return final, nil
	}
	return out, nil
}

// halve deals out the frauds of each class, and its twins, by turns. They are dealt
// language by language, and every second class begins with the other half, so that
// both halves speak each language alike.
func halve(cases []Case) (dev, final []Case) {
	type pile struct {
		class string
		bad   bool
	}
	first := map[string]int{} // the half that a class begins with
	for _, c := range cases {
		if _, ok := first[c.Class]; !ok {
			first[c.Class] = len(first) % 2
		}
	}
	sorted := slices.Clone(cases)
	slices.SortStableFunc(sorted, func(a, b Case) int { return strings.Compare(a.Lang, b.Lang) })
	dealt := map[pile]int{}
	for _, c := range sorted {
		p := pile{c.Class, c.Bad}
		if (first[c.Class]+dealt[p])%2 == 0 {
			dev = append(dev, c)
		} else {
			final = append(final, c)
		}
		dealt[p]++
	}
	return dev, final
}

func parseCases(name, text string) ([]Case, error) {
	var out []Case
	class := strings.ToUpper(strings.TrimSuffix(name, ".txt"))
	sc := bufio.NewScanner(strings.NewReader(text))
	for n := 1; sc.Scan(); n++ {
		line := sc.Text()
		head, ok := strings.CutPrefix(line, "=== ")
		if !ok {
			if len(out) == 0 {
				return nil, fmt.Errorf("%s:%d: text before the first case", name, n)
			}
			out[len(out)-1].Body += line + "\n"
			continue
		}
		c := Case{Class: class, Name: fmt.Sprintf("%s:%d", name, n)}
		fields := strings.Split(head, " | ")
		kind, lang, _ := strings.Cut(fields[0], " ")
		if kind != "bad" && kind != "good" || len(fields) < 3 {
			return nil, fmt.Errorf("%s:%d: want \"=== bad|good language | from | subject | …\"", name, n)
		}
		c.Bad, c.Lang, c.From, c.Subject = kind == "bad", lang, fields[1], fields[2]
		for _, f := range fields[3:] {
			key, value, _ := strings.Cut(f, "=")
			switch key {
			case "reply":
				c.ReplyTo = value
			case "tie":
				c.Tie = value
			case "list":
				c.List = true
			case "bulk":
				c.Bulk = true
			case "html":
				c.HTML = true
			case "class":
				c.Class = value
			default:
				return nil, fmt.Errorf("%s:%d: unknown %q", name, n, f)
			}
		}
		out = append(out, c)
	}
	return out, sc.Err()
}

// now is when cases are judged.
var now = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// Input makes a message of a case, as it would come in from outside.
func (c *Case) Input() *check.Input {
	from, reply := strings.ReplaceAll(c.From, freeMail, "@gmail.com"), strings.ReplaceAll(c.ReplyTo, freeMail, "@gmail.com")
	var b strings.Builder
	b.WriteString("Received: from mail.example.org ([192.0.2.7]) by mx.garden.example; Wed, 4 Mar 2026 12:00:00 +0000\r\n")
	fmt.Fprintf(&b, "From: %s\r\nTo: ann@garden.example\r\nSubject: %s\r\n", encodeName(from), mime.QEncoding.Encode("utf-8", c.Subject))
	fmt.Fprintf(&b, "Date: Wed, 4 Mar 2026 11:59:00 +0000\r\nMessage-ID: <%s@mail.example.org>\r\nMIME-Version: 1.0\r\n", strings.ReplaceAll(c.Name, ":", "."))
	if reply != "" {
		fmt.Fprintf(&b, "Reply-To: %s\r\n", reply)
	}
	if c.List {
		b.WriteString("List-Id: <list.example.org>\r\nList-Post: <mailto:list@example.org>\r\n")
	}
	if c.Bulk {
		b.WriteString("List-Unsubscribe: <https://news.example.org/u>\r\n")
	}
	if c.Tie == "reply" {
		b.WriteString("In-Reply-To: <1@garden.example>\r\n")
	}
	kind, body := "plain", c.Body
	if c.HTML {
		kind = "html"
	}
	fmt.Fprintf(&b, "Content-Type: text/%s; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n%s", kind, strings.ReplaceAll(body, "\n", "\r\n"))
	in := &check.Input{
		Conn: &sluice.Conn{
			Client: netip.MustParseAddrPort("192.0.2.7:4711"), Door: "smtp", Hello: sluice.Hello{Verb: "EHLO", Name: "mail.example.org"},
		},
		Envelope: &sluice.Envelope{From: "bounce@mail.example.org", Rcpts: []sluice.Recipient{{Address: "ann@garden.example"}}},
		Message:  message.Parse([]byte(b.String()), message.DefaultLimits()),
		Now:      now, Notes: new(check.Notes),
	}
	check.Note(in.Notes, c.ties)
	return in
}

// encodeName writes a From field with a display name beyond ASCII.
func encodeName(from string) string {
	name, addr, ok := strings.Cut(from, " <")
	if !ok {
		return from
	}
	if strings.ContainsAny(name, ",.()&'@:;") {
		name = "\"" + name + "\""
	} else {
		name = mime.QEncoding.Encode("utf-8", name)
	}
	return name + " <" + addr
}

func (c *Case) ties() scam.Ties {
	switch c.Tie {
	case "known":
		return scam.Ties{Known: true, Wrote: true}
	case "reply":
		return scam.Ties{Known: true, Wrote: true, Reply: true}
	case "inside":
		return scam.Ties{Inside: true}
	case "namesake":
		return scam.Ties{Stranger: true, Namesake: true}
	}
	return scam.Ties{}
}
