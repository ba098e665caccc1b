package calendar_test

import (
	"strings"
	"testing"

	"sluice/inspect"
	"sluice/inspect/child/childtest"
	"sluice/inspect/child/document/calendar"
	"sluice/inspect/child/document/documenttest"
)

func entry(lines ...string) string {
	return "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n" + strings.Join(lines, "\r\n") + "\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
}

func TestCarriersAndTwins(t *testing.T) {
	documenttest.Run(t, calendar.Decoder{}, []documenttest.Case{
		{Name: "meeting", Type: "icalendar", Body: entry("ORGANIZER;CN=\"Ann: chair\":mailto:ann@example.org", "SUMMARY:Weekly", "LOCATION:Room 5"), Want: []string{"CALENDAR_ORGANIZER mailto:ann@example.org"}},
		{Name: "invitation with a lure", Type: "icalendar", Body: entry("SUMMARY:Your bill", "DESCRIPTION:Pay here:\\nhttps://drop.exa", " mple/pay\\, now"), Want: []string{"link text https://drop.example/pay"}},
		{Name: "address", Type: "icalendar", Body: entry("URL:https://drop.example/"), Want: []string{"link anchor https://drop.example/"}},
		{Name: "attached file", Type: "icalendar", Body: entry("ATTACH;FMTTYPE=text/plain;ENCODING=BASE64;VALUE=BINARY;X-FILENAME=\"bill.js\":V1NjcmlwdC5F", " Y2hvKDEp"), Want: []string{"file bill.js js 15"}},
		{Name: "alarm that runs", Type: "icalendar", Body: entry("BEGIN:VALARM", "ACTION:PROCEDURE", "END:VALARM"), Want: []string{"CALENDAR_ALARM PROCEDURE"}},
		{Name: "alarm that shows", Type: "icalendar", Body: entry("BEGIN:VALARM", "ACTION:DISPLAY", "END:VALARM"), Clean: true},
		{Name: "card", Type: "vcard", Body: "BEGIN:VCARD\r\nFN:Ann\r\nitem1.URL:https://example.org/\r\nEND:VCARD\r\n", Want: []string{"link anchor https://example.org/"}},
	})
}

func TestText(t *testing.T) {
	r := childtest.One(t, calendar.Decoder{}, "a.ics", "icalendar", []byte(entry("SUMMARY:Your bill", "DESCRIPTION:is\\n due")))
	if got := documenttest.Text(r, inspect.OriginBody); got != "Your bill\nis\n due\n" {
		t.Errorf("%q", got)
	}
}

func TestHostile(t *testing.T) {
	for name, body := range map[string]string{
		"folded": "DESCRIPTION:" + strings.Repeat("\r\n a", 1<<18),
		"lines":  strings.Repeat("URL:x\r\n", 1<<18),
		"no end": "ATTACH;ENCODING=BASE64:" + strings.Repeat("A", 1<<22),
		"quotes": strings.Repeat("\"", 1<<20),
		"attach": strings.Repeat("ATTACH;ENCODING=BASE64:QUJD\r\n", 1000),
	} {
		r := childtest.One(t, calendar.Decoder{}, "a.ics", "icalendar", []byte(body))
		if childtest.Has(r, inspect.DecoderPanic, "") || r.Exhausted.Has(inspect.LimitTime) {
			t.Error(name, r.Facts, r.Exhausted)
		}
	}
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte(entry("ATTACH;ENCODING=BASE64;X-FILENAME=a:QUJD", "ORGANIZER:x", "DESCRIPTION:http://a.example", " b", "X-ALT-DESC;FMTTYPE=text/html:<b>")))
	f.Fuzz(func(t *testing.T, b []byte) { childtest.Bytes(t, calendar.Decoder{}, "icalendar", b) })
}

func BenchmarkOpen(b *testing.B) {
	body := []byte(strings.Repeat(entry("SUMMARY:Weekly", "DESCRIPTION:An honest entry of a calendar\\, with words", "URL:https://example.org/"), 2000))
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		childtest.One(b, calendar.Decoder{}, "a.ics", "icalendar", body)
	}
}
