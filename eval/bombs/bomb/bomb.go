// Package bomb makes files and messages that unpack to absurd sizes, hold far too many
// things, go in circles or nest without end. All are made from a few bytes at the time
// they are asked for; nothing large is kept.
package bomb

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
)

// Case is one bomb. Make may return nil where what it is made from is absent.
type Case struct {
	Line string // what it belongs to: "ratio", "many", "deep", "pictures", "pdf", "documents", "pages"
	Name string
	File string // its name as an attachment; "": Make writes the whole message
	Make func() []byte
	// Ends says that the work is small by itself: no bound need be met.
	Ends bool
}

// Cases are all of them.
func Cases() []Case {
	var out []Case
	for _, l := range []struct {
		name  string
		cases []Case
	}{{"ratio", ratios()}, {"many", many()}, {"deep", deep()}, {"pictures", pictures()}, {"pdf", pdfs()}, {"documents", documents()}, {"pages", pages()}} {
		for _, c := range l.cases {
			c.Line = l.name
			out = append(out, c)
		}
	}
	return out
}

// Message is the mail that carries a case.
func (c Case) Message() []byte {
	body := c.Make()
	if body == nil || c.File == "" {
		return body
	}
	return message(c.File, body)
}

const head = "From: Ann <ann@sender.example>\r\nTo: bob@a.example\r\nSubject: files\r\nDate: Tue, 24 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@sender.example>\r\nMIME-Version: 1.0\r\n"

func message(name string, body []byte) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%sContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nthe files\r\n--b\r\nContent-Type: application/octet-stream; name=%q\r\nContent-Disposition: attachment; filename=%q\r\nContent-Transfer-Encoding: base64\r\n\r\n", head, name, name)
	text := base64.StdEncoding.EncodeToString(body)
	for len(text) > 76 {
		b.WriteString(text[:76] + "\r\n")
		text = text[76:]
	}
	b.WriteString(text + "\r\n--b--\r\n")
	return b.Bytes()
}

// must is for writers that write to memory.
func must[T any](v T, err error) T {
	if err != nil {
		panic("bomb: " + err.Error())
	}
	return v
}

func decode(s string) []byte { return must(base64.StdEncoding.DecodeString(s)) }

// blocks are 45,000,000 zeros as a stream of bzip2, and a megabyte of them as one of xz
// without a check. Streams of both may follow each other.
var (
	bzip2Zeros = decode("QlpoOTFBWSZTWckBtsgBWKtAIMAAEAAACCAAMMwFKaZSSFJsVJIUni7kinChIZIDbZA=")
	xzZeros    = decode("/Td6WFoAAAD/EtlBAgAhARAAAACocI6G7///ANldAABv/f//o7f/Rz5IFXI5YVG4kijmo4YH+e7kHoLTL8U6PAFLsX7JiopNL6MN2X+m44wjEVPgWRjFdYrid/i2lH8MasDedElk4ulcU7IE2PdEDKtfDW1G6eXDdoi3llestk3haR1v+0uIEGxCy4g/XACP0E6vJiiUcR89jyThcJ6nI1/sKMuF0ZWYin4qkfIndfcZwAaYTZj92K/VkA/EJVP49ZE2MQWlsO5vwXBNRwzRkRGqrWAdus6xJxhcWYbpZlJYvul2rFnk5VsFCPnH2q38+1Iq9+SVJQAAAAAAAAHtAYCAQACPF/qoqAAK/AIAAAAAAFla")
)

func repeat(s string, n int) []byte { return bytes.Repeat([]byte(s), n) }

func le16(b []byte, v ...int) []byte {
	for _, x := range v {
		b = binary.LittleEndian.AppendUint16(b, uint16(x))
	}
	return b
}

func le32(b []byte, v ...int) []byte {
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, uint32(x))
	}
	return b
}

func be32(b []byte, v ...int) []byte {
	for _, x := range v {
		b = binary.BigEndian.AppendUint32(b, uint32(x))
	}
	return b
}

// nest wraps bottom n times.
func nest(n int, bottom []byte, wrap func([]byte) []byte) []byte {
	for range n {
		bottom = wrap(bottom)
	}
	return bottom
}

func numbered(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}
