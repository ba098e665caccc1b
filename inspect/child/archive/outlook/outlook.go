// Package outlook opens items that Outlook saved (MS-OXMSG): attachments, bodies,
// and items in items.
package outlook

import (
	"context"
	"fmt"
	"strings"

	"sluice/inspect"
	"sluice/inspect/child"
	"sluice/inspect/child/archive/tnef"
	"sluice/inspect/child/document/cfb"
)

// Decoder opens items.
type Decoder struct{}

// New returns the decoder.
func New() Decoder { return Decoder{} }

// Name is "outlook".
func (Decoder) Name() string { return "outlook" }

// Types is msg alone.
func (Decoder) Types() []inspect.Type { return []inspect.Type{inspect.Msg} }

// Streams are named by property and type. MS-OXMSG 2.2
const (
	stream     = "__substg1.0_"
	attachment = "__attach_version1.0_"
)

// Open goes through the streams of the item and of those in it.
func (Decoder) Open(_ context.Context, w *child.Work) error {
	f, err := cfb.Open(w.Bytes())
	if err != nil {
		return err
	}
	if f.Broken != "" {
		w.Fact(inspect.Damaged, "outlook: "+f.Broken)
	}
	o := &item{w: w, f: f, streams: map[string]cfb.Entry{}}
	for _, e := range f.Entries {
		if !e.Storage {
			o.streams[strings.ToLower(e.Path)] = e
		}
	}
	for i, e := range f.Entries {
		if i%256 == 0 {
			if err := w.Err(); err != nil {
				return err
			}
		}
		if e.Storage {
			continue
		}
		if err := o.emit(e); err != nil {
			return err
		}
	}
	return nil
}

type item struct {
	w       *child.Work
	f       *cfb.File
	streams map[string]cfb.Entry
	n       int
}

// emit decides about one stream by its place and name.
func (o *item) emit(e cfb.Entry) error {
	dir, name := "", e.Path
	if i := strings.LastIndexByte(e.Path, '/'); i >= 0 {
		dir, name = e.Path[:i+1], e.Path[i+1:]
	}
	id, ok := strings.CutPrefix(strings.ToLower(name), stream)
	inside := dir[strings.LastIndex(strings.TrimSuffix(dir, "/"), "/")+1:]
	switch {
	case ok && id == "37010102" && strings.HasPrefix(inside, attachment):
		return o.attach(dir, o.read(e))
	case ok && strings.HasPrefix(inside, attachment):
		return nil
	case !ok && strings.Contains(strings.ToLower(dir), stream+"3701000d") && !strings.HasPrefix(name, "__"):
		// A stream of an embedded object that is no item.
		o.n++
		_, err := o.w.Emit(child.Entry{Name: e.Name, Method: "ole", Size: -1, Bytes: o.read(e)})
		return err
	case !ok:
		return nil
	}
	switch id {
	case "1000001f":
		o.w.Text(inspect.OriginBody, tnef.Wide(o.read(e)))
	case "1000001e":
		o.w.Text(inspect.OriginBody, tnef.Narrow(o.read(e)))
	case "10130102":
		_, err := o.w.Emit(child.Entry{Name: "body.html", Declared: "text/html", Method: "body", Size: -1, Bytes: o.read(e)})
		return err
	case "1013001f":
		_, err := o.w.Emit(child.Entry{Name: "body.html", Declared: "text/html", Method: "body", Size: -1, Bytes: []byte(tnef.Wide(o.read(e)))})
		return err
	case "10090102":
		rtf, err := tnef.DecompressRTF(o.read(e), int(o.w.Budget().File))
		if err != nil {
			o.w.Fact(inspect.Damaged, "outlook: "+err.Error())
		}
		if len(rtf) > 0 {
			_, err := o.w.Emit(child.Entry{Name: "body.rtf", Method: "body", Size: -1, Bytes: rtf})
			return err
		}
	}
	return nil
}

func (o *item) read(e cfb.Entry) []byte {
	b := o.f.Read(e, int(o.w.Budget().File))
	if b == nil {
		b = []byte{}
	}
	return b
}

// attach emits an attachment under the first name it has: long, short, shown.
func (o *item) attach(dir string, content []byte) error {
	o.n++
	name := ""
	for _, id := range []string{"3707", "3704", "3001"} {
		if name = o.text(dir, id); name != "" {
			break
		}
	}
	if name == "" {
		name = fmt.Sprintf("attachment %d", o.n)
	}
	_, err := o.w.Emit(child.Entry{Name: name, Declared: strings.ToLower(o.text(dir, "370e")), Method: "ole", Size: -1, Bytes: content})
	return err
}

// text is a property of an attachment, in either form.
func (o *item) text(dir, id string) string {
	dir = strings.ToLower(dir)
	if e, ok := o.streams[dir+stream+id+"001f"]; ok {
		return tnef.Wide(o.f.Read(e, 2*inspect.MaxName))
	}
	if e, ok := o.streams[dir+stream+id+"001e"]; ok {
		return tnef.Narrow(o.f.Read(e, inspect.MaxName))
	}
	return ""
}
