package pdf

import (
	"fmt"
	"strings"

	"sluice/inspect"
	"sluice/inspect/child"
	"sluice/inspect/child/document/script"
)

// maxValues bounds how many values of an object are looked at.
const maxValues = 500_000

// actions reads every dictionary of every object for what it does. In a locked file
// only the names are read.
func (f *file) actions(locked bool) error {
	auto := f.automatic()
	values := 0
	for i, o := range f.objects {
		if i&0xFF == 0 {
			if err := f.w.Err(); err != nil {
				return err
			}
		}
		todo := []any{o.value}
		for len(todo) > 0 {
			v := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			if values++; values > maxValues {
				return f.w.Steps()
			}
			switch v := v.(type) {
			case array:
				todo = append(todo, v...)
			case dict:
				if err := f.dictionary(v, o, auto[o], locked); err != nil {
					return err
				}
				for _, x := range v {
					switch x.(type) {
					case dict, array:
						todo = append(todo, x)
					}
				}
			}
		}
	}
	return nil
}

// automatic are the objects that hold actions done on opening: those that OpenAction
// leads to, with the actions that follow them.
func (f *file) automatic() map[*object]bool {
	out := map[*object]bool{}
	for _, o := range f.objects {
		d, ok := o.value.(dict)
		if !ok || d["OpenAction"] == nil {
			continue
		}
		v := d["OpenAction"]
		for range maxChain {
			t := f.target(v)
			if t == nil || out[t] {
				break
			}
			out[t] = true
			a, _ := t.value.(dict)
			v = a["Next"]
		}
	}
	return out
}

// dictionary states what one dictionary does.
func (f *file) dictionary(d dict, o *object, auto, locked bool) error {
	via := inspect.ViaAnchor
	if auto {
		via = inspect.ViaAuto
	}
	if a, ok := d["OpenAction"]; ok {
		if t := f.dict(a); t != nil {
			s := f.name(t["S"])
			f.w.Fact(inspect.PDFOpenAction, string(s))
			if u := f.str(t["URI"], o); u != "" && !locked {
				f.link(inspect.ViaAuto, u)
			}
		}
	}
	if aa := f.dict(d["AA"]); aa != nil {
		for event, a := range aa {
			if s := f.name(f.dict(a)["S"]); s != "" {
				f.w.Fact(inspect.PDFOpenAction, string(event)+": "+string(s))
			}
		}
	}
	switch f.name(d["S"]) {
	case "URI":
		if u := f.str(d["URI"], o); u != "" && !locked {
			f.link(via, strings.TrimSpace(u))
			if strings.HasPrefix(strings.ToLower(u), "javascript:") {
				f.w.Fact(inspect.PDFScript, u)
			}
		}
	case "Launch":
		f.launch(d, o)
	case "SubmitForm", "ImportData":
		u := f.specification(d["F"], o)
		f.w.Fact(inspect.PDFSubmit, u)
		if u != "" {
			f.link(inspect.ViaForm, u)
		}
	case "GoToR", "GoToE":
		u := f.specification(d["F"], o)
		f.w.Fact(inspect.PDFRemote, u)
		if strings.Contains(u, "://") || strings.HasPrefix(u, `\\`) || strings.HasPrefix(u, "//") {
			f.link(via, u)
		}
	}
	if js, ok := d["JS"]; ok {
		if err := f.javaScript(js, o, locked); err != nil {
			return err
		}
	}
	if x, ok := d["XFA"]; ok && !locked {
		if err := f.forms(x); err != nil {
			return err
		}
	}
	switch f.name(d["Subtype"]) {
	case "RichMedia", "Flash", "3D", "Movie", "Screen":
		if s := f.name(d["Subtype"]); s == "RichMedia" || s == "Flash" {
			f.w.Fact(inspect.ActiveControl, string(s))
		}
	}
	if locked {
		return nil
	}
	if ef := f.dict(d["EF"]); ef != nil {
		return f.attachment(d, ef, o)
	}
	if f.name(d["Type"]) == "EmbeddedFile" && o.raw != nil && len(o.raw) > 0 {
		if v, ok := o.value.(dict); ok && f.name(v["Type"]) == "EmbeddedFile" {
			return f.emit(o, "embedded")
		}
	}
	return nil
}

// specification is a file specification as one string, 7.11.
func (f *file) specification(v any, o *object) string {
	if d := f.dict(v); d != nil {
		for _, k := range []name{"UF", "F", "Win", "DOS", "Unix", "URL"} {
			if s := f.str(d[k], o); s != "" {
				return s
			}
		}
		return ""
	}
	return f.str(v, o)
}

func (f *file) launch(d dict, o *object) {
	what := f.specification(d["F"], o)
	for _, k := range []name{"Win", "Mac", "Unix"} {
		if s := f.dict(d[k]); s != nil {
			what = strings.TrimSpace(what + " " + f.str(s["F"], o) + " " + f.str(s["P"], o))
		}
	}
	f.w.Fact(inspect.PDFLaunch, what)
	script.Look(what).State(f.w)
}

// javaScript reads code that stands in a string or a stream.
func (f *file) javaScript(v any, o *object, locked bool) error {
	code := ""
	if t := f.target(v); t != nil && t.raw != nil {
		if f.said[t] {
			return nil
		}
		f.said[t] = true
		b, err := f.content(t, 2<<20)
		if err != nil {
			return err
		}
		code = decodeText(b)
	} else {
		code = f.str(v, o)
	}
	if locked {
		code = ""
	}
	f.w.Fact(inspect.PDFScript, strings.TrimSpace(clip(code, 200)))
	f.code(code)
	return nil
}

// doings are calls of a reader's JavaScript that reach out of the document, and
// words by which holes in readers were used.
var doings = []struct {
	call string
	kind inspect.Kind
}{
	{"app.launchURL", inspect.CodeFetches}, {"launchURL(", inspect.CodeFetches}, {"getURL(", inspect.CodeFetches}, {"submitForm(", inspect.CodeFetches}, {"mailForm(", inspect.CodeFetches}, {"mailMsg(", inspect.CodeFetches},
	{"Net.HTTP", inspect.CodeFetches}, {"SOAP.", inspect.CodeFetches}, {"exportDataObject", inspect.CodeRuns}, {"nLaunch", inspect.CodeRuns}, {"openDoc(", inspect.CodeRuns}, {"execMenuItem", inspect.CodeRuns},
	{"eval(", inspect.CodeRuns}, {"unescape(", inspect.CodeObfuscated}, {"String.fromCharCode", inspect.CodeObfuscated}, {"util.printf", inspect.CodeEvades}, {"Collab.", inspect.CodeEvades}, {"media.newPlayer", inspect.CodeEvades}, {"getAnnots", inspect.CodeEvades}, {"app.viewerVersion", inspect.CodeEvades},
}

func (f *file) code(code string) {
	for _, d := range doings {
		if strings.Contains(code, d.call) {
			f.w.Fact(d.kind, strings.TrimRight(d.call, "(."))
		}
	}
	script.Look(code).State(f.w)
	f.w.Text(inspect.OriginScript, code)
}

// forms reads an XFA form: XML in one stream or several, that may hold script.
func (f *file) forms(v any) error {
	parts := []any{v}
	if a := f.array(v); a != nil {
		parts = a
	}
	var all strings.Builder
	for _, p := range parts[:min(len(parts), 200)] {
		t := f.target(p)
		if t == nil || t.raw == nil || f.said[t] {
			continue
		}
		f.said[t] = true
		b, err := f.content(t, 2<<20)
		if err != nil {
			return err
		}
		if all.Len() < 4<<20 {
			all.Write(b)
		}
	}
	form := all.String()
	if strings.Contains(form, "application/x-javascript") || strings.Contains(form, "<script") || strings.Contains(form, ":script") {
		f.w.Fact(inspect.PDFScript, "XFA form")
		f.code(form)
	}
	for _, u := range script.FindURLs(form, 50) {
		if !strings.Contains(u, "xfa.org/") && !strings.Contains(u, "adobe.com/") {
			f.link(inspect.ViaForm, u)
		}
	}
	return nil
}

// attachment emits an embedded file, 7.11.4.
func (f *file) attachment(d, ef dict, o *object) error {
	called := f.specification(d, o)
	for _, k := range []name{"UF", "F", "Unix", "Mac", "DOS"} {
		if t := f.target(ef[k]); t != nil && t.raw != nil {
			if err := f.emit(t, called); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *file) emit(o *object, called string) error {
	if f.emitted[o] {
		return nil
	}
	f.emitted[o] = true
	f.w.Fact(inspect.PDFAttachment, called)
	b, err := f.content(o, int(f.w.Budget().File))
	if err != nil {
		return err
	}
	if called == "" {
		called = fmt.Sprintf("embedded-%d", o.number)
	}
	d, _ := o.value.(dict)
	_, err = f.w.Emit(child.Entry{Name: called, Declared: string(f.name(d["Subtype"])), Method: "pdf", Size: -1, Bytes: b})
	return err
}

func clip(s string, n int) string { return s[:min(len(s), n)] }
