package scan

import (
	"fmt"
	"strings"
	"testing"

	"sluice/message"
	"sluice/message/header"
)

func TestStored(t *testing.T) {
	const outside = "Received: from mail.example.com (host.example.net [192.0.2.1]) by mx.example.org with SMTP for <r@example.org>\r\n"
	for _, tc := range []struct{ what, from, header, want string }{
		{"one hop", "", outside, `192.0.2.1 "mail.example.com" "host.example.net" from "" false to [r@example.org]`},
		{"fetched and handed on", "", "Received: from localhost (localhost [127.0.0.1]) by box with LMTP\r\nReceived: from mx ([10.0.0.1]) by box\r\n" +
			"Received: by 2002:a05::1 with SMTP\r\n" + outside + "Received: from x ([198.51.100.1]) by y\r\n",
			`192.0.2.1 "mail.example.com" "host.example.net" from "" false to [r@example.org]`},
		{"fetched from a public host", "", "Received: from pop.example.net [198.51.100.1] by localhost with POP3 (fetchmail-6)\r\n" + outside,
			`192.0.2.1 "mail.example.com" "host.example.net" from "" false to [r@example.org]`},
		{"exchange online", "", "Received: from A.PROD.OUTLOOK.COM (2603:10a6:d10:1f::6) by B.prod.outlook.com with HTTPS\r\n" + outside,
			`192.0.2.1 "mail.example.com" "host.example.net" from "" false to [r@example.org]`},
		{"private only", "", "Received: from b ([10.0.0.2]) by a\r\nReceived: from c ([10.0.0.3]) by b\r\n", `10.0.0.2 "b" "" from "" false to []`},
		{"nothing", "", "Subject: x\r\n", `invalid IP "" "" from "" false to []`},
		{"separator", "a@example.com Tue Jan  2 10:00:00 2024", "Return-Path: <b@example.com>\r\n", `invalid IP "" "" from "a@example.com" true to []`},
		{"archive separator", "a at example.com  Tue Jan  2 10:00:00 2024", "", `invalid IP "" "" from "a@example.com" true to []`},
		{"null separator", "MAILER-DAEMON Tue Jan  2 10:00:00 2024", "", `invalid IP "" "" from "" true to []`},
		{"separator without sender", "- Tue Jan  2 10:00:00 2024", "Return-Path: <b@example.com>\r\n", `invalid IP "" "" from "b@example.com" true to []`},
		{"odd separator", "a@example.com yesterday", "", `invalid IP "" "" from "a@example.com" true to []`},
		{"null return path", "", "Return-Path: <>\r\n", `invalid IP "" "" from "" true to []`},
		{"bare return path", "", "Return-Path: b@example.com\r\nReturn-Path: <c@example.com>\r\n", `invalid IP "" "" from "b@example.com" true to []`},
		{"delivered", "", "Delivered-To: list r@example.org\r\nTo: x@example.com\r\n", `invalid IP "" "" from "" false to [r@example.org]`},
		{"original first", "", "Delivered-To: r@example.org\r\nX-Original-To: o@example.org\r\n", `invalid IP "" "" from "" false to [o@example.org]`},
		{"to and cc", "", "To: A <a@example.org>, undisclosed:;\r\nCc: b@EXAMPLE.org\r\n", `invalid IP "" "" from "" false to [a@example.org b@example.org]`},
	} {
		o := Stored(&Mail{FromLine: tc.from}, parsed(tc.header))
		if got := fmt.Sprintf("%v %q %q from %q %v to %v", o.Client, o.Hello, o.Name, o.From, o.HasFrom, o.Rcpts); got != tc.want {
			t.Errorf("%s:\n got %s\nwant %s", tc.what, got, tc.want)
		}
	}
	if o := Stored(&Mail{FromLine: "a@b"}, &message.Message{}); o.HasFrom {
		t.Errorf("no message gives %+v", o)
	}
	many := strings.Repeat("To: "+strings.Repeat("a@example.org, ", 500)+"a@example.org\r\n", 10)
	if n := len(Stored(&Mail{}, parsed(many)).Rcpts); n != maxRcpts {
		t.Errorf("%d recipients, want %d", n, maxRcpts)
	}
}

func parsed(block string) *message.Message {
	h, _ := header.Parse([]byte(block), 0, 1000)
	return &message.Message{Parts: []*message.Part{{Header: h}}}
}
