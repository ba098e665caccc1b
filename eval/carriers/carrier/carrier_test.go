package carrier

import (
	"fmt"
	"strings"
	"testing"

	"sluice/inspect"
	"sluice/inspect/child"
	"sluice/inspect/child/archive"
	"sluice/inspect/child/childtest"
	"sluice/inspect/child/document"
	"sluice/inspect/child/identify"
	picture "sluice/inspect/child/image"
	"sluice/message"
)

// look asks the decoders about all files and texts of a message.
func look(t *testing.T, m Mail) *inspect.Report {
	msg := message.Parse(m.Bytes(), message.DefaultLimits())
	q := &inspect.Request{}
	for of, p := range msg.All() {
		if p.IsMultipart() || p.IsMessage() {
			continue
		}
		q.Inputs = append(q.Inputs, inspect.Input{Name: p.Filename, DeclaredType: p.Type, Body: of.Decoded(p)})
	}
	for _, w := range strings.Fields(m.Text) {
		q.Passwords = append(q.Passwords, strings.Trim(w, ".,:"))
	}
	var all []child.Decoder
	all = append(all, archive.Decoders(archive.Config{})...)
	all = append(all, document.Decoders()...)
	all = append(all, picture.Decoders()...)
	return childtest.Run(t, child.Config{Decoders: all, Identify: identify.Identify, Remark: identify.Remarks}, q)
}

// stated says which of the signs a report holds.
func stated(r *inspect.Report, want []string) (out []string) {
	for _, w := range want {
		ok := childtest.Has(r, inspect.Kind(w), "")
		if u, is := strings.CutPrefix(w, "link:"); is {
			for _, l := range r.Links {
				ok = ok || l.URL == u
			}
		}
		if c, is := strings.CutPrefix(w, "class:"); is {
			for _, f := range r.Files {
				ok = ok || strings.Contains(", "+f.Class.String()+",", ", "+c+",")
			}
		}
		if ok {
			out = append(out, w)
		}
	}
	return out
}

// missing are cases that no decoder catches. The list stays empty, or names what is
// known to be missing.
var missing = map[string]bool{}

// TestCarriers prints what is found in each carrier and its twin.
func TestCarriers(t *testing.T) {
	caught, clean, all := map[string]int{}, map[string]int{}, map[string]int{}
	var table strings.Builder
	for _, c := range Cases() {
		if testing.Short() && c.Name == "bomb" {
			continue // a hundred megabytes
		}
		r, twin := look(t, c.Carrier), look(t, c.Twin)
		got, false := stated(r, c.Want), stated(twin, c.Want)
		verdict := "caught, twin clean"
		all[c.Line]++
		if len(got) > 0 {
			caught[c.Line]++
		} else {
			verdict = "MISSED: " + kinds(r)
		}
		if len(false) == 0 {
			clean[c.Line]++
		} else {
			verdict += "; TWIN: " + strings.Join(false, " ")
		}
		switch {
		case missing[c.Name] && len(got) > 0:
			t.Errorf("%s is caught: take it off the list of those that are missing", c.Name)
		case len(got) == 0 && !missing[c.Name], len(false) > 0:
			t.Errorf("%s: %s", c.Name, verdict)
		}
		for _, f := range append(r.Facts, twin.Facts...) {
			if f.Kind == inspect.DecoderPanic {
				t.Errorf("%s: %s", c.Name, f.Detail)
			}
		}
		fmt.Fprintf(&table, "%-11s %-22s %-60s %s\n", c.Line, c.Name, strings.Join(got, " "), verdict)
	}
	for _, l := range []string{"types", "containers", "documents", "pages", "pictures"} {
		fmt.Fprintf(&table, "%-11s %d of %d caught, %d twins clean\n", l, caught[l], all[l], clean[l])
	}
	t.Log("\n" + table.String())
}

// kinds sums up a report for people.
func kinds(r *inspect.Report) string {
	var out []string
	for _, f := range r.Files {
		out = append(out, fmt.Sprintf("%q is %s (%s)", f.Name, f.Type, f.Class))
	}
	for _, f := range r.Facts {
		out = append(out, string(f.Kind)+" "+f.Detail)
	}
	return strings.Join(out, "; ")
}

// The same mail is made each time.
func TestSame(t *testing.T) {
	a, b := Cases(), Cases()
	names := map[string]bool{}
	for i := range a {
		if string(a[i].Carrier.Bytes()) != string(b[i].Carrier.Bytes()) || string(a[i].Twin.Bytes()) != string(b[i].Twin.Bytes()) {
			t.Errorf("%s differs", a[i].Name)
		}
		if names[a[i].Name] || a[i].Name == "" || len(a[i].Want) == 0 {
			t.Errorf("%q: no name, or one that is taken, or nothing to find", a[i].Name)
		}
		names[a[i].Name] = true
	}
}
