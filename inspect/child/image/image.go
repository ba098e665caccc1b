// Package image decodes the pictures of mail and finds what phones read in them:
// QR codes and their relatives, plain or disguised, cut to pieces over several
// images, or drawn with characters and table cells where no image is. It makes
// perceptual hashes, and takes out what stands in a picture's metadata and behind
// its end. It runs in the sandboxed child only.
package image

import (
	"context"
	"errors"
	"fmt"
	"image"
	"strings"

	"sluice/inspect"
	"sluice/inspect/child"
	"sluice/inspect/child/image/code"
	"sluice/inspect/child/image/pixel"
)

// Decoders are those of this package: pictures, and codes drawn in text and HTML.
func Decoders() []child.Decoder { return []child.Decoder{pictures{}, drawings{}} }

// The sides to which a picture is shrunk before it is looked at: first what is quick
// and finds most, then what a small code on a scanned page needs.
const (
	quickSide = 1000
	fullSide  = 2000
	hueSide   = 800
)

// traitHue is that of a code which only colours tell from its ground.
const traitHue = "coloured"

type pictures struct{}

// Name implements child.Decoder.
func (pictures) Name() string { return "image" }

// Types implements child.Decoder.
func (pictures) Types() []inspect.Type {
	return []inspect.Type{inspect.PNG, inspect.JPEG, inspect.GIF, inspect.BMP, inspect.TIFF, inspect.WebP}
}

// Open implements child.Decoder.
func (pictures) Open(ctx context.Context, w *child.Work) error {
	h, err := readHeader(w.Type(), w.Bytes())
	if err != nil {
		return err
	}
	if err := facts(w, h); err != nil {
		return err
	}
	if err := w.Pixels(h.width*h.weight, h.height); err != nil {
		w.Image(inspect.Image{Width: h.width, Height: h.height})
		return err
	}
	out := inspect.Image{Width: h.width, Height: h.height}
	found := findings{}
	for i := range h.pictures() {
		m, err := h.decode(i, w.Bytes(), w.Err)
		if m == nil {
			if i == 0 {
				w.Image(out)
				return err
			}
			continue
		}
		gray := pixel.Luma(m, pixel.Factor(h.width, h.height, fullSide), false)
		if i == 0 {
			out.PHash, out.DHash = gray.Hashes()
			offer(w, m)
		}
		trait := ""
		if i > 0 {
			trait = "later frame"
		}
		if err := found.look(m, gray, trait, w.Err); err != nil {
			found.tell(w, &out)
			w.Image(out)
			return err
		}
	}
	if len(found.codes) == 0 {
		err = found.join(w, h)
	}
	found.tell(w, &out)
	w.Image(out)
	return err
}

// facts states what a header says besides the size.
func facts(w *child.Work, h *header) error {
	if h.frames > 1 {
		w.Fact(inspect.ImageAnimated, fmt.Sprintf("%d frames", h.frames))
	}
	links := 0
	for _, t := range h.texts {
		for u := range urls(t) {
			if links++; links > maxMetaLinks {
				break
			}
			w.Link(inspect.ViaMetadata, u)
		}
	}
	if h.end <= 0 || h.end >= len(w.Bytes()) {
		return nil
	}
	tail := w.Bytes()[h.end:]
	if len(strings.Trim(string(tail[:min(len(tail), 64)]), "\x00\r\n \x1a")) == 0 && len(tail) <= 64 {
		return nil // padding
	}
	w.Fact(inspect.TrailingData, fmt.Sprintf("%d bytes", len(tail)))
	_, err := w.Emit(child.Entry{Name: "trailing data", Bytes: tail, Size: -1})
	return err
}

// maxMetaLinks bounds the links from one picture's metadata.
const maxMetaLinks = 16

// findings are the codes of one file.
type findings struct {
	codes  []inspect.Code
	unread bool
}

// look searches one picture: quickly, then closely, then by what its colours and
// its transparency hide.
func (f *findings) look(m image.Image, gray *pixel.Gray, trait string, stop func() error) error {
	had, hint := len(f.codes), false
	try := func(g *pixel.Gray, also string) (bool, error) {
		r, err := code.Find(g, stop)
		f.unread, hint = f.unread || r.Unread, r.Hint
		f.add(r.Codes, trait, also)
		return len(f.codes) > had || err != nil, err
	}
	quick := gray.Shrink(pixel.Factor(gray.W, gray.H, quickSide))
	if done, err := try(quick, ""); done {
		return err
	}
	// What is too small for that is worth a look on a page, and not in a photo.
	if quick != gray && (hint || quick.Even()) {
		if done, err := try(gray, ""); done {
			return err
		}
	}
	if hue := pixel.Hue(m, hueSide); hue != nil {
		if done, err := try(hue, traitHue); done {
			return err
		}
	}
	if !pixel.Opaque(m) {
		dark := pixel.Luma(m, pixel.Factor(m.Bounds().Dx(), m.Bounds().Dy(), quickSide), true)
		if _, err := try(dark, "transparent"); err != nil {
			return err
		}
	}
	return nil
}

// add takes over codes that are not known yet.
func (f *findings) add(codes []code.Code, traits ...string) {
next:
	for _, c := range codes {
		for _, o := range f.codes {
			if o.Text == c.Text {
				continue next
			}
		}
		all := append([]string{}, traits...)
		if traits[len(traits)-1] != traitHue {
			// Along an axis of colour neither is dark.
			if c.Inverted {
				all = append(all, "inverted")
			}
			if c.Pale {
				all = append(all, "pale")
			}
		}
		f.codes = append(f.codes, inspect.Code{Format: c.Format, Text: c.Text, Trait: traitsOf(all)})
	}
}

func traitsOf(all []string) string {
	var some []string
	for _, t := range all {
		if t != "" {
			some = append(some, t)
		}
	}
	return strings.Join(some, ", ")
}

// tell states the codes found.
func (f *findings) tell(w *child.Work, out *inspect.Image) {
	out.Codes = f.codes
	for _, c := range f.codes {
		if c.Trait != "" {
			kind := inspect.CodeDisguised
			if strings.Contains(c.Trait, traitSplit) {
				kind = inspect.CodeSplit
			}
			w.Fact(kind, c.Format+", "+c.Trait+": "+c.Text)
		}
		payload(w, c.Text)
	}
	if f.unread && len(f.codes) == 0 {
		w.Fact(inspect.CodeUnread, "three corners of a QR code")
	}
}

var errTooSmall = errors.New("no pixels")
