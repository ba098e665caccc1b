// Package script reads programs as text: scripts, macros, command lines, script in
// pages. It runs nothing and proves nothing. It says which calls stand out, puts
// strings together that are written in pieces, decodes what is plainly encoded, and
// finds the URLs in all of that. Its decoder opens script files; other decoders
// hand it the code that they find.
package script

import (
	"slices"
	"strings"

	"sluice/inspect"
	"sluice/inspect/child"
	"sluice/internal/literal"
	"sluice/message/links"
)

// Bounds on what is looked at and kept.
const (
	MaxSource  = 4 << 20 // bytes of one program
	maxURLs    = 200
	maxCalls   = 100
	maxDecoded = 1 << 20 // bytes of put-together and decoded strings
	maxLayers  = 3       // encodings in each other
)

// Effect is what a call does.
type Effect uint8

// The effects.
const (
	Runs     Effect = iota // starts a program or code
	Fetches                // from the network
	Writes                 // files
	Persists               // is started again later
	Evades                 // hides, or looks whether it is watched
	Surveys                // looks where it is
)

// Kind is the fact that a call with the effect makes.
func (e Effect) Kind() inspect.Kind {
	return [...]inspect.Kind{inspect.CodeRuns, inspect.CodeFetches, inspect.CodeWrites, inspect.CodePersists, inspect.CodeEvades, inspect.CodeSurveys}[e]
}

// Call is something that stands out.
type Call struct {
	Name   string
	Effect Effect
}

// Findings is what a program's text says about it. Lists are without repetition,
// in order of appearance.
type Findings struct {
	Calls   []Call
	Hidden  []string // how strings are hidden: "Chr", "reversed", "base64", …
	URLs    []string
	Decoded string // strings that were put together or decoded, one a line
}

// Has says whether a call with that effect was seen.
func (f *Findings) Has(e Effect) bool {
	return slices.ContainsFunc(f.Calls, func(c Call) bool { return c.Effect == e })
}

// Look reads a program. It takes time linear in the text.
func Look(text string) *Findings {
	f := &Findings{}
	if len(text) > MaxSource {
		text = text[:MaxSource]
	}
	layer := text
	room := maxDecoded
	for i := range maxLayers {
		f.calls(layer, i > 0)
		f.urls(layer)
		if i == maxLayers-1 {
			break
		}
		next := f.decode(layer, room)
		if next == "" {
			break
		}
		f.Decoded += next
		room -= len(next)
		layer = next
	}
	return f
}

// State hands the findings over as facts and links of a file. The names of calls go
// to the facts of their effect.
func (f *Findings) State(w *child.Work) {
	for _, c := range f.Calls {
		w.Fact(c.Effect.Kind(), c.Name)
	}
	for _, h := range f.Hidden {
		w.Fact(inspect.CodeObfuscated, h)
	}
	for _, u := range f.URLs {
		w.Link(inspect.ViaScript, u)
	}
}

func (f *Findings) hidden(how string) {
	if !slices.Contains(f.Hidden, how) {
		f.Hidden = append(f.Hidden, how)
	}
}

// call is a row of the table of calls. Letters are lower case.
type call struct {
	text   string
	effect Effect
}

// The calls that stand out. Words of common life ("shell", "open", "run") only
// count with what makes them a call.
var calls = []call{
	{"shell(", Runs}, {"shell \"", Runs}, {"vba.shell", Runs}, {"wscript.shell", Runs}, {"shell.application", Runs}, {"shellexecute", Runs},
	{"createobject(\"wscript", Runs}, {"winexec", Runs}, {"createprocess", Runs}, {"powershell", Runs}, {"pwsh", Runs}, {"cmd.exe", Runs}, {"cmd /c", Runs}, {"cmd /k", Runs}, {"%comspec%", Runs},
	{"mshta", Runs}, {"rundll32", Runs}, {"regsvr32", Runs}, {"installutil", Runs}, {"msbuild", Runs}, {"wmic", Runs}, {"win32_process", Runs}, {"winmgmts:", Runs}, {"cscript", Runs}, {"wscript.exe", Runs},
	{"msiexec", Runs}, {"macscript", Runs}, {"applescripttask", Runs}, {"callbyname", Runs}, {"virtualalloc", Runs}, {"rtlmovememory", Runs}, {"createthread", Runs}, {"createremotethread", Runs},
	{"invoke-expression", Runs}, {"iex", Runs}, {"invoke-command", Runs}, {"start-process", Runs}, {"executeglobal", Runs}, {"executeexcel4macro", Runs}, {"reflection.assembly", Runs}, {"frombase64transform", Runs},
	{"do shell script", Runs}, {"subprocess.", Runs}, {"os.system", Runs}, {"process.start", Runs}, {"ddeinitiate", Runs}, {"shellbrowserwindow", Runs}, {"mmc20.application", Runs}, {"forfiles", Runs}, {"pcalua", Runs}, {"conhost", Runs},

	{"urldownloadtofile", Fetches}, {"xmlhttp", Fetches}, {"winhttprequest", Fetches}, {"internetopen", Fetches}, {"internetreadfile", Fetches}, {"downloadfile", Fetches}, {"downloadstring", Fetches}, {"downloaddata", Fetches},
	{"invoke-webrequest", Fetches}, {"invoke-restmethod", Fetches}, {"iwr", Fetches}, {"start-bitstransfer", Fetches}, {"net.webclient", Fetches}, {"internetexplorer.application", Fetches}, {"bitsadmin", Fetches}, {"certutil", Fetches},
	{"curl ", Fetches}, {"curl.exe", Fetches}, {"wget ", Fetches}, {"net use", Fetches}, {"davwwwroot", Fetches}, {"httpclient", Fetches}, {"urllib", Fetches}, {"search-ms:", Fetches}, {"ms-msdt:", Runs},

	{"adodb.stream", Writes}, {"savetofile", Writes}, {"scripting.filesystemobject", Writes}, {"createtextfile", Writes}, {"for binary", Writes}, {"for output", Writes}, {"writeallbytes", Writes}, {"set-content", Writes}, {"out-file", Writes}, {"copy /b", Writes},

	{"regwrite", Persists}, {"currentversion\\run", Persists}, {"schtasks", Persists}, {"new-scheduledtask", Persists}, {"schedule.service", Persists}, {"start menu\\programs\\startup", Persists}, {"specialfolders(\"startup", Persists}, {"normaltemplate", Persists}, {"set-itemproperty", Persists},

	{"-windowstyle hidden", Evades}, {"-w hidden", Evades}, {"-window hidden", Evades}, {"-nop", Evades}, {"-noprofile", Evades}, {"executionpolicy bypass", Evades}, {"-ep bypass", Evades}, {"-exec bypass", Evades}, {"vbhide", Evades}, {"amsiutils", Evades}, {"amsiscanbuffer", Evades},
	{"-enc ", Evades}, {"-encodedcommand", Evades}, {"-ec ", Evades}, {"accessvbom", Evades}, {"vbproject", Evades}, {"vbawarnings", Evades}, {"displayalerts", Evades}, {"recentfiles.count", Evades}, {"isdebuggerpresent", Evades}, {"add-mppreference", Evades}, {"set-mppreference", Evades},
	{"environ(", Surveys}, {"environ$(", Surveys}, {"%appdata%", Surveys}, {"%temp%", Surveys}, {"$env:", Surveys}, {"expandenvironmentstrings", Surveys}, {"getspecialfolder", Surveys}, {"application.username", Surveys}, {"wscript.network", Surveys},
	{"virtualbox", Evades}, {"vmware", Evades}, {"sbiedll", Evades},
}

var matcher = func() *literal.Matcher {
	p := make([]string, len(calls))
	for i, c := range calls {
		p[i] = c.text
	}
	return literal.New(p)
}()

// weakLength: shorter calls are parts of many words. They need a bound on both
// sides, and count in the text itself only, not where decoding made their letters.
const weakLength = 4

func (f *Findings) calls(text string, decoded bool) {
	low := lower(text)
	seen := map[int]bool{}
	matcher.Scan(low, func(p, start, end int) bool {
		c := calls[p]
		switch {
		case seen[p] || len(f.Calls) >= maxCalls:
			return len(f.Calls) < maxCalls
		case word(c.text[0]) && start > 0 && word(low[start-1]):
			return true
		case word(c.text[len(c.text)-1]) && end < len(low) && word(low[end]) && len(c.text) <= weakLength:
			return true
		case decoded && len(c.text) < weakLength:
			return true
		}
		seen[p] = true
		// A call keeps the spelling that it has in the text, without what a pattern
		// needs for its bounds.
		name := strings.TrimRight(c.text, "( \"")
		if k := (Call{name, c.effect}); !slices.Contains(f.Calls, k) {
			f.Calls = append(f.Calls, k)
		}
		return true
	})
}

// urls finds what has a scheme, in text that is code: no bare domains, since code
// is full of names with dots.
func (f *Findings) urls(text string) {
	for _, u := range FindURLs(text, maxURLs) {
		if len(f.URLs) < maxURLs && !slices.Contains(f.URLs, u) {
			f.URLs = append(f.URLs, u)
		}
	}
}

// schemes are those that lead out of a program's text.
var schemes = literal.New([]string{"http://", "https://", "ftp://", "hxxp://", "file://", "ms-msdt:", "search-ms:", "\\\\"})

// namespaces are prefixes of URLs that name a vocabulary and are fetched by nobody.
var namespaces = []string{"http://schemas.microsoft.com/", "http://schemas.openxmlformats.org/", "http://www.w3.org/", "https://www.w3.org/", "http://purl.org/", "http://ns.adobe.com/", "http://purl.oclc.org/"}

// FindURLs finds addresses with a scheme, and UNC paths to named machines, in the
// text of a program or document. Names of XML vocabularies are left out.
func FindURLs(text string, most int) []string {
	low := lower(text)
	var out []string
	end := 0
	schemes.Scan(low, func(_, start, _ int) bool {
		if start < end || start > 0 && low[start-1] == '\\' {
			return true
		}
		stop := start
		for stop < len(text) && stop-start < inspect.MaxURL && urlByte(text[stop]) {
			stop++
		}
		end = stop
		u := strings.TrimRight(text[start:stop], ".,;:!?)]}'&")
		switch {
		case low[start] == '\\':
			host, path, _ := strings.Cut(u[2:], "\\")
			if !strings.Contains(host, ".") || path == "" || links.Parse("file://"+host).Host == "" || strings.HasPrefix(host, ".") {
				return true
			}
		case slices.ContainsFunc(namespaces, func(n string) bool { return strings.HasPrefix(u, n) }):
			return true
		case strings.Contains(u, "://") && len(u) <= strings.Index(u, "://")+3:
			return true
		}
		if string(low[start:start+4]) == "hxxp" {
			u = "http" + u[4:]
		}
		if !slices.Contains(out, u) {
			out = append(out, u)
		}
		return len(out) < most
	})
	return out
}

func urlByte(c byte) bool {
	return c > ' ' && c != '"' && c != '<' && c != '>' && c != '`' && c != '\'' && c != '|' && c != 0x7F && c != '^' && c != '{' && c != '}'
}

func word(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || c == '_'
}

// Lower is s with its ASCII in lower case: of the same length, so that a place in one is
// that place in the other.
func Lower(s string) string { return string(lower(s)) }

// lower folds ASCII only and keeps the length.
func lower(s string) []byte {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 32
		}
	}
	return b
}
