package signature

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"sluice/mailauth/canon"
	"sluice/message/header"
)

const field = "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/simple; d=Example.ORG; s=Sel;\r\n" +
	"\ti=Jo=20e@sub.example.org; t=100; x=200; l=12; q=dns/txt:other; z=From:x|To:y;\r\n" +
	"\th=From : to:\r\n subject; bh= AA\r\n AA=; b=AAECAw==\r\n"

func TestParse(t *testing.T) {
	s, fault := Parse([]byte(strings.Replace(field, "AA=;", "AA;", 1)), DKIM)
	if fault != nil {
		t.Fatal(fault)
	}
	if s.Domain != "example.org" || s.Selector != "sel" || s.Identity != "Jo e@sub.example.org" || s.Header != canon.Relaxed ||
		s.Body != canon.Simple || s.Length != 12 || s.Timestamp.Unix() != 100 || s.Expires.Unix() != 200 ||
		strings.Join(s.Names, ",") != "from,to,subject" || !bytes.Equal(s.Value, []byte{0, 1, 2, 3}) || len(s.BodyHash) != 3 {
		t.Errorf("%+v", s)
	}
	if s, fault := Parse([]byte("DKIM-Signature: v=1; a=rsa-sha256; d=example.org; s=x; h=from; bh=AAAA; b=AAAA\r\n"), DKIM); fault != nil ||
		s.Identity != "@example.org" || s.Length != -1 || s.Header != canon.Simple || s.Body != canon.Simple {
		t.Errorf("defaults: %+v, %v", s, fault)
	}
	// Numbers that don't fit are the greatest (RFC 6376 3.5).
	if s, fault := Parse([]byte("DKIM-Signature: v=1; a=rsa-sha256; d=example.org; s=x; h=from; bh=AAAA; b=AAAA; l="+strings.Repeat("9", 76)), DKIM); fault != nil || s.Length <= 1<<40 {
		t.Errorf("long l=: %+v, %v", s, fault)
	}
}

// TestTimes keeps absurd times printable.
func TestTimes(t *testing.T) {
	s, fault := Parse([]byte("DKIM-Signature: v=1; a=rsa-sha256; d=example.org; s=x; h=from; bh=AAAA; b=AAAA; x="+strings.Repeat("9", 20)), DKIM)
	if fault != nil || s.Expires.Year() != 9999 {
		t.Errorf("%v, %v", s.Expires, fault)
	}
	if _, err := json.Marshal(s.Expires); err != nil {
		t.Error(err)
	}
}

func TestInstance(t *testing.T) {
	for in, want := range map[string]int{"1": 1, "50": 50, "51": 0, "0": 0, "01": 0, "+1": 0, "-1": 0, "": 0, "1 ": 0, "999999999999999999999": 0} {
		if n, ok := Instance(in); n != want || ok != (want > 0) {
			t.Errorf("%q: %d, %v", in, n, ok)
		}
	}
}

// TestWriter folds long lists and values, and keeps lines short.
func TestWriter(t *testing.T) {
	w := NewWriter("DKIM-Signature")
	w.Add("v", "1")
	w.Add("a", "rsa-sha256")
	w.Add("d", "example.org")
	w.Add("s", "x")
	w.AddList("h", strings.Split(strings.Repeat("from:subject:content-transfer-encoding:", 10)+"to", ":"))
	w.AddBase64("bh", make([]byte, 32))
	w.Add("b", "")
	w.Add("t", "5")
	out := w.field(bytes.Repeat([]byte{7}, 512))
	for line := range bytes.Lines(out) {
		if len(line) > 78+2 || !bytes.HasSuffix(line, []byte("\r\n")) {
			t.Errorf("line %q", line)
		}
	}
	h, defects := header.Parse(out, 0, 0)
	if len(h.Fields) != 1 || len(defects) != 0 {
		t.Errorf("%d fields, %v", len(h.Fields), defects)
	}
	s, fault := Parse(out, DKIM)
	if fault != nil || len(s.Value) != 512 || len(s.Names) != 31 || s.Timestamp.Unix() != 5 {
		t.Errorf("%v\n%s", fault, out)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(field), uint8(0))
	f.Add([]byte("ARC-Message-Signature: i=1; a=rsa-sha256; d=a.example; s=x; h=from:; bh=AAAA; b=AAAA"), uint8(1))
	f.Add([]byte("ARC-Seal: i=1; cv=none; a=ed25519-sha256; d=a.example; s=x; b=AAAA; t=1\r\n"), uint8(2))
	f.Fuzz(func(t *testing.T, b []byte, kind uint8) {
		s, fault := Parse(b, Kind(kind%3))
		if s == nil {
			t.Fatal("no signature")
		}
		if fault != nil {
			if fault.Problem == "" || fault.Status != PermError && fault.Status != Neutral {
				t.Fatalf("%+v", fault)
			}
			return
		}
		if s.Domain == "" || s.Selector == "" || len(s.Value) == 0 || strings.ContainsAny(s.Domain+s.Selector, " \t\r\n\x00/\\") {
			t.Fatalf("%+v", s)
		}
		if s.Kind == DKIM && (len(s.Names) == 0 || s.IdentityDomain != s.Domain && !strings.HasSuffix(s.IdentityDomain, "."+s.Domain)) {
			t.Fatalf("%+v", s)
		}
		// The place of b= is that of the value.
		place := s.Tags.Place("b")
		if v, err := canon.Base64(string(b[place.Off:place.End])); err != nil || !bytes.Equal(v, s.Value) {
			t.Fatalf("b= stands elsewhere: %q", b[place.Off:place.End])
		}
	})
}
