package dialect

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"sync"

	"sluice"
)

// Recording is one conversation with a real program, as far as it tells the
// program: its command lines octet by octet, and our reply codes.
type Recording struct {
	Client  string // "Postfix"
	Version string
	Variant string // "starttls": what the conversation was about
	Steps   []Step
	Ended   string // one of sluice's Ended… words
	TLS     string // the fingerprint of its ClientHello, "" in clear text
}

// Step is a command line or a reply.
type Step struct {
	Line string // with its line end; "" for a reply
	More bool   // another command came behind it in one piece with it
	Code int    // the reply to the line, or to the text after DATA
	TLS  bool   // TLS begins here
}

// Replay feeds a recording to a Trace. own is our host name.
func (r *Recording) Replay(own string) sluice.Dialect {
	var t Trace
	for _, s := range r.Steps {
		switch {
		case s.TLS:
			t.TLS()
		case s.Line != "":
			t.Command([]byte(s.Line), own, s.More)
		default:
			t.Reply(s.Code)
		}
	}
	t.End(r.Ended)
	return t.Value()
}

// FormatRecordings writes the recordings of one client as text: each with its
// dialect in words and its ids behind it.
func FormatRecordings(rs []Recording, own string) string {
	if len(rs) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "client %s\nversion %s\n", rs[0].Client, rs[0].Version)
	for i := range rs {
		r := &rs[i]
		fmt.Fprintf(&b, "\nvariant %s\n", r.Variant)
		for _, s := range r.Steps {
			switch {
			case s.TLS:
				b.WriteString("TLS\n")
			case s.Line != "" && s.More:
				fmt.Fprintf(&b, "C+ %s\n", strconv.QuoteToASCII(s.Line))
			case s.Line != "":
				fmt.Fprintf(&b, "C %s\n", strconv.QuoteToASCII(s.Line))
			default:
				fmt.Fprintf(&b, "S %d\n", s.Code)
			}
		}
		if r.TLS != "" {
			fmt.Fprintf(&b, "hello %s\n", r.TLS)
		}
		d := r.Replay(own)
		fmt.Fprintf(&b, "end %s\nwords %s\nids", r.Ended, Describe(d))
		for _, s := range Stages() {
			if id := ID(d, s); id != "" {
				fmt.Fprintf(&b, " %s %s", s, id)
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// ParseRecordings reads what [FormatRecordings] writes. Words and ids are left to
// those who compare.
func ParseRecordings(text string) ([]Recording, error) {
	var client, version string
	var out []Recording
	n := 0
	for line := range strings.Lines(text) {
		n++
		word, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		var r *Recording
		if len(out) > 0 {
			r = &out[len(out)-1]
		}
		var err error
		switch {
		case word == "":
		case word == "client":
			client = rest
		case word == "version":
			version = rest
		case word == "variant":
			out = append(out, Recording{Client: client, Version: version, Variant: rest})
		case r == nil:
			err = fmt.Errorf("%q before a variant", word)
		case word == "C", word == "C+":
			var l string
			if l, err = strconv.Unquote(rest); err == nil && l == "" {
				err = fmt.Errorf("an empty line")
			}
			r.Steps = append(r.Steps, Step{Line: l, More: word == "C+"})
		case word == "S":
			var code int
			code, err = strconv.Atoi(rest)
			r.Steps = append(r.Steps, Step{Code: code})
		case word == "TLS":
			r.Steps = append(r.Steps, Step{TLS: true})
		case word == "hello":
			r.TLS = rest
		case word == "end":
			r.Ended = rest
		case word == "words", word == "ids":
		default:
			err = fmt.Errorf("unknown word %q", word)
		}
		if err != nil {
			return nil, fmt.Errorf("dialect: recording: line %d: %w", n, err)
		}
	}
	return out, nil
}

//go:embed testdata/recorded/*.txt
var files embed.FS

// OurName is the host name that the recordings were made with.
const OurName = "mx.sluice.example"

// spoken is a dialect with the program that speaks it.
type spoken struct {
	client  string
	dialect sluice.Dialect
}

// known is what the recordings say.
type known struct {
	recordings []Recording
	spoken     []spoken
	marks      uint64     // all marks that some program makes
	cases      [64]uint64 // for each field of letters, a bit for each case that some program writes
}

// recorded reads the recordings once. They are part of the program and tested, so
// one that can't be read is a mistake in it.
var recorded = sync.OnceValue(func() *known {
	k := &known{}
	names, err := fs.Glob(files, "testdata/recorded/*.txt")
	if err != nil {
		panic(err)
	}
	slices.Sort(names)
	for _, n := range names {
		b, err := files.ReadFile(n)
		if err != nil {
			panic(err)
		}
		rs, err := ParseRecordings(string(b))
		if err != nil {
			panic(err)
		}
		k.recordings = append(k.recordings, rs...)
	}
	for i := range k.recordings {
		r := &k.recordings[i]
		d := r.Replay(OurName)
		k.spoken = append(k.spoken, spoken{r.Client, d})
		k.marks |= d.Marks
		addCases(&k.cases, d.Marks)
	}
	return k
})

// Recordings returns all recordings that the program holds.
func Recordings() []Recording { return slices.Clone(recorded().recordings) }

// programMarks is what tells programs apart, where an id also tells hosts: all of
// an id but the greeting's name. SIZE is left out too, since a program that reads
// its message from a pipe can't give it.
const programMarks = ^uint64(15<<helloForm | 3<<sizeCase | 3<<ending)

// Clients names the recorded programs that speak as d does as far as stage, in the
// order of the alphabet.
func Clients(d sluice.Dialect, stage Stage) []string {
	if !Reached(d, stage) {
		return nil
	}
	var out []string
	for _, s := range recorded().spoken {
		if !slices.Contains(out, s.client) && Reached(s.dialect, stage) && sameProgram(s.dialect, d, stage) {
			out = append(out, s.client)
		}
	}
	return out
}

// TLSClients names the recorded programs whose ClientHello has this fingerprint.
// Programs that share a library share it.
func TLSClients(fingerprint string) []string {
	var out []string
	for _, r := range recorded().recordings {
		if r.TLS != "" && r.TLS == fingerprint && !slices.Contains(out, r.Client) {
			out = append(out, r.Client)
		}
	}
	return out
}

func sameProgram(a, b sluice.Dialect, stage Stage) bool {
	mask := stageMarks[stage] & programMarks
	return (a.Marks^b.Marks)&mask == 0 && slices.Equal(route(a.Order, stage), route(b.Order, stage))
}
