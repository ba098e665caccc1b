package hashlist

import (
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"

	"sluice/dns/dnsbl"
	"sluice/engine"
)

// Form is how a digest is written in a question. Labels have 63 octets at most, so a
// SHA-256 isn't written in hexadecimal.
type Form uint8

// The forms.
const (
	SHA1   Form = iota + 1 // 40 hexadecimal digits
	MD5                    // 32 hexadecimal digits
	SHA256                 // 52 characters in base 32
)

var formNames = [...]string{"", "sha1", "md5", "sha256-base32"}

func (f Form) String() string {
	if int(f) < len(formNames) {
		return formNames[f]
	}
	return fmt.Sprintf("form %d", uint8(f))
}

// MarshalText writes the form's name.
func (f Form) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText reads "sha1", "md5" or "sha256-base32".
func (f *Form) UnmarshalText(b []byte) error {
	i := slices.Index(formNames[:], string(b))
	if i < 1 {
		return fmt.Errorf("hashlist: form %q is not sha1, md5 or sha256-base32", b)
	}
	*f = Form(i)
	return nil
}

var base = base32.StdEncoding.WithPadding(base32.NoPadding)

// label is a file's digest as the form has it.
func (f Form) label(data []byte, sum [sha256.Size]byte) string {
	switch f {
	case MD5:
		s := md5.Sum(data) // what the lists have: it finds known files and proves nothing
		return hex.EncodeToString(s[:])
	case SHA1:
		s := sha1.Sum(data)
		return hex.EncodeToString(s[:])
	}
	return strings.ToLower(base.EncodeToString(sum[:]))
}

// DNSList is one list in the DNS. Its Names is set by [NewDNS]; its weight plays no
// part.
type DNSList struct {
	dnsbl.List
	Form Form
	// Behind is what stands between digest and zone (and key): "_file".
	Behind string
	Kind   engine.Kind // of a file that is listed; 0: Suspicious
}

// DNS is the lists in the DNS: one set for each way to ask.
type DNS struct {
	asked []asked
	kinds map[string]engine.Kind // by the list's name
}

type asked struct {
	form   Form
	behind string
	set    *dnsbl.Set
}

// NewDNS returns the lists, which [DNS.Run] must test before they count. The lists of c
// are left out; its bounds hold for each way to ask.
func NewDNS(lists []DNSList, c dnsbl.Config) (*DNS, error) {
	type way struct {
		form   Form
		behind string
	}
	var ways []way
	by := map[way][]dnsbl.List{}
	d := &DNS{kinds: map[string]engine.Kind{}}
	for i, l := range lists {
		if l.Form < SHA1 || l.Form > SHA256 {
			return nil, fmt.Errorf("hashlist: DNS list %d: %v", i+1, l.Form)
		}
		l.Names = true
		if l.TestPoint == "" && l.Behind != "" {
			l.TestPoint = "test." + l.Behind
		}
		full, err := l.Complete()
		if err != nil {
			return nil, fmt.Errorf("hashlist: DNS list %d: %w", i+1, err)
		}
		if l.Kind == 0 {
			l.Kind = engine.Suspicious
		}
		if _, twice := d.kinds[full.Name]; twice {
			return nil, fmt.Errorf("hashlist: DNS list %d: %s is there twice", i+1, full.Name)
		}
		d.kinds[full.Name] = l.Kind
		w := way{l.Form, strings.Trim(l.Behind, ".")}
		if !slices.Contains(ways, w) {
			ways = append(ways, w)
		}
		by[w] = append(by[w], l.List)
	}
	for _, w := range ways {
		c.Lists = by[w]
		set, err := dnsbl.New(c)
		if err != nil {
			return nil, fmt.Errorf("hashlist: %w", err)
		}
		d.asked = append(d.asked, asked{w.form, w.behind, set})
	}
	return d, nil
}

// Run tests the lists until ctx ends. Without it no list ever counts.
func (d *DNS) Run(ctx context.Context) {
	var running sync.WaitGroup
	for _, a := range d.asked {
		running.Go(func() { a.set.Run(ctx) })
	}
	running.Wait()
}

// Close ends the questions under way and waits for them.
func (d *DNS) Close() error {
	for _, a := range d.asked {
		_ = a.set.Close() // it has no error to give
	}
	return nil
}

// Health is the state of each list.
func (d *DNS) Health() (out []dnsbl.Health) {
	for _, a := range d.asked {
		out = append(out, a.set.Health()...)
	}
	return out
}

// Question is a file as the lists are asked about it. It doesn't hold the file.
type Question struct {
	of    *DNS
	names []string // for each way to ask; none: nobody is asked
}

// Question makes the digests that the lists know files by. Files below [MinSize] are
// nobody's business.
func (d *DNS) Question(data []byte, sum [sha256.Size]byte) Question {
	q := Question{of: d}
	if len(data) < MinSize {
		return q
	}
	for _, a := range d.asked {
		name := a.form.label(data, sum)
		if a.behind != "" {
			name += "." + a.behind
		}
		q.names = append(q.names, name)
	}
	return q
}

// Ask asks the lists until ctx ends. unknown are those without a usable answer, with the
// reason.
func (q Question) Ask(ctx context.Context, where string) (found []engine.Finding, unknown []string) {
	results := make([]dnsbl.Result, len(q.names))
	var asking sync.WaitGroup
	for i, name := range q.names {
		asking.Go(func() { results[i] = q.of.asked[i].set.LookupName(ctx, name) })
	}
	asking.Wait()
	for _, r := range results {
		for _, a := range r.Answers {
			switch {
			case !a.Listed:
				unknown = append(unknown, a.List+": "+a.Why)
			case a.Kind == dnsbl.Block:
				found = append(found, engine.Finding{Engine: a.List, Signature: engine.Printable(a.Meaning, engine.MaxSignature), Kind: q.of.kinds[a.List], Where: where})
			}
		}
	}
	return found, unknown
}
