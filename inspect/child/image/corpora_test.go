package image

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/eval"
	"sluice/inspect"
	"sluice/inspect/child"
	"sluice/inspect/child/childtest"
	"sluice/internal/shared"
	"sluice/message"
)

// TestCorpora looks at the pictures and bodies of real mail, and prints by corpus
// how many hold codes, how many look like it and can't be read, and what a message
// costs. SLUICE_MEASURE is the part of the corpora to take: train or test.
func TestCorpora(t *testing.T) {
	partOf := os.Getenv("SLUICE_MEASURE")
	if partOf == "" {
		t.Skip("a measurement: set SLUICE_MEASURE to train or test")
	}
	dir := shared.Dir(t, "corpora")
	f, err := os.Open(filepath.Join(dir, "SPLIT.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := eval.ReadSplit(f)
	if err != nil {
		t.Fatal(err)
	}
	type sum struct {
		messages, withImages, images, undecoded, coded, codes, unread, drawn, may, damaged int
		pixels                                                                             int64
		imageTime, drawnTime                                                               time.Duration
		slowest                                                                            time.Duration
		traits                                                                             []string
	}
	sums := map[string]*sum{}
	for _, e := range all {
		if e.Part != partOf {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(e.Path)))
		if err != nil {
			t.Fatal(err)
		}
		s := sums[e.Pool()]
		if s == nil {
			s = &sum{}
			sums[e.Pool()] = s
		}
		s.messages++
		pics, texts := filesOf(raw)
		if len(pics) > 0 {
			s.withImages++
		}
		began := cpu()
		r := childtest.Run(t, child.Config{Decoders: Decoders()[:1]}, &inspect.Request{Inputs: pics})
		took := cpu() - began
		s.imageTime += took
		s.slowest = max(s.slowest, took)
		found := 0
		for _, m := range r.Images {
			s.images++
			s.pixels += int64(m.Width) * int64(m.Height)
			found += len(m.Codes)
			for _, c := range m.Codes {
				if c.Trait != "" {
					s.traits = append(s.traits, c.Trait)
				}
			}
		}
		s.codes += found
		if found > 0 {
			s.coded++
		}
		s.undecoded += len(pics) - len(r.Images)
		for _, f := range r.Facts {
			switch f.Kind {
			case inspect.CodeUnread:
				s.unread++
				t.Logf("%s: unread in %s", e.Path, r.Files[f.File].Name)
			case inspect.Damaged:
				s.damaged++
			}
		}
		if slices.ContainsFunc(texts, func(i inspect.Input) bool {
			return inspect.MayDraw("text/"+strings.TrimSuffix(i.DeclaredType, "text"), i.Body)
		}) {
			s.may++
		}
		began = cpu()
		r = childtest.Run(t, child.Config{Decoders: Decoders()[1:]}, &inspect.Request{Inputs: texts})
		s.drawnTime += cpu() - began
		for _, f := range r.Facts {
			if f.Kind == inspect.CodeDrawn {
				s.drawn++
				t.Logf("%s: drawn", e.Path)
			}
		}
	}
	var out strings.Builder
	fmt.Fprintf(&out, "%-26s %8s %7s %7s %9s %7s %6s %6s %6s %6s %9s %9s %9s\n", "corpus", "messages", "with", "images", "damaged", "coded", "codes", "unread", "drawn", "may", "ms/image", "slowest", "µs/body")
	pools := make([]string, 0, len(sums))
	for p := range sums {
		pools = append(pools, p)
	}
	slices.Sort(pools)
	for _, p := range pools {
		s := sums[p]
		fmt.Fprintf(&out, "%-26s %8d %7d %7d %9d %7d %6d %6d %6d %6d %9.2f %9s %9.0f %s\n", p, s.messages, s.withImages, s.images, s.damaged, s.coded, s.codes, s.unread, s.drawn, s.may,
			s.imageTime.Seconds()*1e3/float64(max(s.images, 1)), s.slowest.Round(time.Millisecond), s.drawnTime.Seconds()*1e6/float64(s.messages), strings.Join(s.traits, "; "))
	}
	t.Log("\n" + out.String())
}

func filesOf(raw []byte) (pics, texts []inspect.Input) {
	m := message.Parse(raw, message.DefaultLimits())
	for of, p := range m.All() {
		b := of.Decoded(p)
		typ := p.Type
		if h, _ := sizeOf(b); h != nil {
			pics = append(pics, inspect.Input{Name: string(h.typ), DeclaredType: string(h.typ), Body: b})
			continue
		}
		switch typ {
		case "text/plain":
			texts = append(texts, inspect.Input{DeclaredType: "text", Body: b})
		case "text/html":
			texts = append(texts, inspect.Input{DeclaredType: "html", Body: b})
		}
	}
	return pics, texts
}

func cpu() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
