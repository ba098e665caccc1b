package image

import (
	"iter"
	"strings"

	"sluice/inspect"
	"sluice/inspect/child"
)

// payload states what a code asks a phone to do.
func payload(w *child.Work, text string) {
	text = strings.TrimSpace(text)
	lower := strings.ToLower(text)
	for _, s := range schemes {
		for _, p := range s.prefixes {
			if !strings.HasPrefix(lower, p) {
				continue
			}
			detail := strings.Trim(p, ":@|*\n/")
			if s.kind == inspect.CodeNetwork {
				detail = field(text[len(p):], "S:")
			}
			w.Fact(s.kind, detail)
			if s.link {
				w.Link(inspect.ViaCode, text)
				return
			}
		}
	}
	switch {
	case strings.HasPrefix(lower, "http://"), strings.HasPrefix(lower, "https://"):
		w.Link(inspect.ViaCode, text)
	case strings.HasPrefix(lower, "urlto:"):
		u := text[len("urlto:"):]
		for i := range u { // behind a title
			if len(u)-i >= 4 && strings.EqualFold(u[i:i+4], "http") {
				u = u[i:]
				break
			}
		}
		w.Link(inspect.ViaCode, u)
	case strings.HasPrefix(lower, "mebkm:"): // a bookmark
		u := strings.NewReplacer(`\:`, ":", `\;`, ";", `\,`, ",", `\\`, `\`).Replace(field(text[len("mebkm:"):], "URL:"))
		w.Link(inspect.ViaCode, u)
	case bare(lower):
		w.Link(inspect.ViaCode, "http://"+text)
	default:
		for u := range urls(text) {
			w.Link(inspect.ViaCode, u)
		}
	}
}

// schemes are what phones act on besides web addresses.
var schemes = []struct {
	kind     inspect.Kind
	link     bool // the whole is a URL worth keeping
	prefixes []string
}{
	// EPC069-12, EMVCo QR, Swiss QR bill, Czech, Russian and Indian payments, and coins.
	{inspect.CodePayment, false, []string{"bcd\n", "bcd\r\n", "000201", "spc\n", "spc\r\n", "spd*", "st00011|", "st00012|", "lnbc", "bc1q", "bc1p"}},
	{inspect.CodePayment, true, []string{"upi:", "bitcoin:", "bitcoincash:", "ethereum:", "litecoin:", "dogecoin:", "monero:", "tron:", "solana:", "xrp:", "ripple:", "lightning:", "payto:", "bezahl:"}},
	{inspect.CodeLogin, true, []string{"otpauth:", "otpauth-migration:", "sgnl:", "tg://login", "fido:/", "https://wa.me/settings/linked_devices", "https://signal.me/#linkdevice"}},
	{inspect.CodeLogin, false, []string{"2@"}}, // linking a device to WhatsApp
	{inspect.CodeNetwork, false, []string{"wifi:"}},
	{inspect.CodeContact, true, []string{"mailto:", "tel:", "sms:", "smsto:", "mmsto:", "facetime:", "whatsapp:"}},
	{inspect.CodeContact, false, []string{"matmsg:", "mecard:", "bizcard:", "begin:vcard"}},
}

// field takes a field of "T:WPA;S:name;P:secret;;".
func field(s, name string) string {
	for f := range strings.SplitSeq(s, ";") {
		if len(f) >= len(name) && strings.EqualFold(f[:len(name)], name) {
			return f[len(name):]
		}
	}
	return ""
}

// bare says whether a text is a web address without its scheme.
func bare(s string) bool {
	host, _, _ := strings.Cut(s, "/")
	host, _, _ = strings.Cut(host, "?")
	host, port, _ := strings.Cut(host, ":")
	if len(s) > 2000 || len(host) > 253 || strings.Trim(port, "0123456789") != "" || strings.ContainsAny(s, " \t\r\n@,;<>\"") {
		return false
	}
	labels := strings.Split(host, ".")
	if len(labels) < 2 {
		return false
	}
	for _, l := range labels {
		if l == "" || len(l) > 63 {
			return false
		}
	}
	top := labels[len(labels)-1]
	return len(top) >= 2 && strings.IndexFunc(top, func(r rune) bool { return r < 'a' || 'z' < r && r < 0x80 }) < 0
}

// urls finds web addresses in metadata or running text. Names of XML namespaces are
// none.
func urls(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for at := 0; ; {
			i := strings.Index(text[at:], "http")
			if i < 0 {
				return
			}
			start := at + i
			rest := text[start:]
			at = start + 4
			if !strings.HasPrefix(rest, "http://") && !strings.HasPrefix(rest, "https://") {
				continue
			}
			end := strings.IndexFunc(rest, func(r rune) bool {
				return r <= ' ' || r == 0x7f || r == 0xFFFD || strings.ContainsRune("\"'<>`{}|\\^", r)
			})
			if end < 0 {
				end = len(rest)
			}
			end = min(end, inspect.MaxURL)
			at = start + end
			u := strings.TrimRight(rest[:end], ".,;:)]")
			if before := text[max(start-40, 0):start]; namespace(before) || len(u) < len("http://a.b") {
				continue
			}
			if host, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(u, "https://"), "http://"), "/"); standards[strings.ToLower(host)] {
				continue
			}
			if !yield(u) {
				return
			}
		}
	}
}

// namespace says whether what stands before a URL makes it a namespace's name.
func namespace(before string) bool {
	i := strings.LastIndex(before, "xmlns")
	return i >= 0 && !strings.ContainsAny(before[i:], " >")
}

// standards are hosts in whose names the metadata of usual programs is written.
var standards = map[string]bool{"ns.adobe.com": true, "www.w3.org": true, "purl.org": true, "iptc.org": true, "cipa.jp": true,
	"ns.google.com": true, "www.iec.ch": true, "www.inkscape.org": true, "ns.useplus.org": true, "cv.iptc.org": true}
