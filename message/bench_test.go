package message_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"sluice/message"
)

// typical is a multipart/alternative newsletter of about 10 kB with the header of
// real mail: the mean of the corpora.
func typical() []byte {
	var b strings.Builder
	for range 6 {
		b.WriteString("Received: from mx.example.net (mx.example.net [192.0.2.1])\r\n\tby mail.example.org with ESMTPS id 0123456789\r\n\tfor <user@example.org>; Thu, 01 Jan 2026 00:00:00 +0000\r\n")
	}
	b.WriteString("DKIM-Signature: v=1; a=rsa-sha256; d=example.net; s=s1;\r\n\th=From:To:Subject:Date; bh=" + strings.Repeat("A", 43) + "=;\r\n\tb=" + strings.Repeat("B", 340) + "\r\n")
	b.WriteString("From: =?utf-8?q?The_Shop?= <news@shop.example>\r\nTo: user@example.org\r\nSubject: =?utf-8?q?Offers_of_the_week?=\r\nDate: Thu, 01 Jan 2026 00:00:00 +0000\r\nMessage-ID: <1@shop.example>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=\"=_b1\"\r\n\r\n--=_b1\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n")
	b.WriteString(strings.Repeat("Dear customer, these are the offers of the week: https://shop.example/a=\r\n?b=3Dc and more text that goes on for a while.\r\n", 12))
	b.WriteString("--=_b1\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<html><head><style>.pre{display:none}</style></head><body>\r\n")
	b.WriteString(strings.Repeat("<table width=3D\"600\" style=3D\"border:0;background-color:#ffffff\"><tr><td style=3D\"font-=\r\nsize:14px;color:#333333\"><p>Dear customer, these are the offers of the week that we have for you, and <a href=3D\"https://shop.example/offer=\r\n?id=3D1\">our best offers</a> &amp; more.</p></td></tr></table>\r\n", 18))
	b.WriteString("</body></html>\r\n--=_b1--\r\n")
	return []byte(b.String())
}

func BenchmarkParseView(b *testing.B) {
	raw := typical()
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		message.Parse(raw, message.DefaultLimits()).View()
	}
}

func BenchmarkParse(b *testing.B) {
	raw := typical()
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		message.Parse(raw, message.DefaultLimits())
	}
}

func BenchmarkParseAttachment(b *testing.B) {
	data := base64.StdEncoding.EncodeToString(make([]byte, 1<<20))
	var lines strings.Builder
	for len(data) > 76 {
		lines.WriteString(data[:76] + "\r\n")
		data = data[76:]
	}
	raw := []byte(crlf(mixed("b", "--b\n\nhi\n--b\nContent-Type: application/pdf\nContent-Transfer-Encoding: base64\n\n")) + lines.String() + "--b--\r\n")
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		m := message.Parse(raw, message.DefaultLimits())
		m.Decoded(m.Parts[2])
	}
}
