package canon

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Tag is one tag of a list, and the place of its value in the input: from behind
// "=" to the next ";" or the end, white space included.
type Tag struct {
	Name  string
	Value string // without white space at the ends and without line ends
	Off   int
	End   int
}

// Tags is a list of tags in the order in which they were written.
type Tags []Tag

// Get returns the value of a tag. Names are case-sensitive (RFC 6376 3.2).
func (t Tags) Get(name string) (string, bool) {
	for i := range t {
		if t[i].Name == name {
			return t[i].Value, true
		}
	}
	return "", false
}

// Place returns the tag itself, or a zero one.
func (t Tags) Place(name string) Tag {
	for i := range t {
		if t[i].Name == name {
			return t[i]
		}
	}
	return Tag{}
}

// maxTags bounds a list. Signatures have about a dozen.
const maxTags = 64

// ErrTooMany says that a list is longer than any honest one.
var ErrTooMany = errors.New("more than 64 tags")

// ParseTags reads a tag list (RFC 6376 3.2), folding included. Offsets are those
// in s moved by base. A tag given twice, a tag without a name or value sign, and
// an empty tag are errors; the tags before the error are returned with it, for
// the sake of explanation only.
func ParseTags(s string, base int) (Tags, error) {
	tags := make(Tags, 0, 12)
	for pos := 0; ; {
		end := len(s)
		if i := strings.IndexByte(s[pos:], ';'); i >= 0 {
			end = pos + i
		}
		spec := s[pos:end]
		if strings.Trim(spec, fws) == "" {
			if end < len(s) || len(tags) == 0 {
				return tags, errors.New("an empty tag")
			}
			return tags, nil // the list may end with ";"
		}
		name, value, ok := strings.Cut(spec, "=")
		if !ok {
			return tags, fmt.Errorf("no = in the tag %q", clip(strings.Trim(spec, fws)))
		}
		off := pos + len(name) + 1
		name = strings.Trim(name, fws)
		if !tagName(name) {
			return tags, fmt.Errorf("%q is no name of a tag", clip(name))
		}
		if _, twice := tags.Get(name); twice {
			// RFC 6376 3.2: tags with duplicate names MUST NOT occur.
			return tags, fmt.Errorf("the tag %s= stands twice", clip(name))
		}
		if len(tags) == maxTags {
			return tags, ErrTooMany
		}
		value, ok = tagValue(value)
		if !ok {
			return tags, fmt.Errorf("a character that may not stand in the tag %s=", clip(name))
		}
		tags = append(tags, Tag{Name: name, Value: value, Off: base + off, End: base + end})
		if end == len(s) {
			return tags, nil
		}
		pos = end + 1
	}
}

// fws is what folding white space is made of.
const fws = " \t\r\n"

func tagName(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		alpha := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !alpha && (i == 0 || c != '_' && (c < '0' || c > '9')) {
			return false
		}
	}
	return s != ""
}

// tagValue trims and unfolds a value. RFC 8616 4 lets UTF-8 stand in it.
func tagValue(s string) (string, bool) {
	s = strings.Trim(s, fws)
	plain := true
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\r' || c == '\n':
			plain = false
		case c < 0x20 && c != '\t' || c == 0x7f:
			return "", false
		}
	}
	if !plain {
		s = strings.NewReplacer("\r", "", "\n", "").Replace(s)
	}
	return s, utf8.ValidString(s)
}

// Base64 decodes the value of b=, bh= or p=, in which white space may stand
// anywhere (RFC 6376 2.10, 3.5).
func Base64(value string) ([]byte, error) {
	if strings.ContainsAny(value, fws) {
		value = strings.NewReplacer(" ", "", "\t", "", "\r", "", "\n", "").Replace(value)
	}
	b, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		return nil, errors.New("no proper base64")
	}
	return b, nil
}

// List splits a value at colons and trims the elements (RFC 6376 3.5 h=, 3.6.1).
func List(value string) []string {
	list := strings.Split(value, ":")
	for i := range list {
		list[i] = strings.Trim(list[i], fws)
	}
	return list
}

func clip(s string) string {
	if len(s) > 40 {
		s = s[:40]
	}
	return strings.ToValidUTF8(s, "?")
}
