package outlook

import (
	"strings"
	"testing"

	"sluice/inspect"
	"sluice/inspect/child/childtest"
	"sluice/inspect/child/document/cfb/cfbtest"
)

func build() []byte {
	in := attachment + "#00000000/"
	second := attachment + "#00000001/"
	object := second + stream + "3701000D/"
	return cfbtest.Build(map[string]string{
		"__properties_version1.0":                                "x",
		stream + "1000001F":                                      "H\x00i\x00",
		stream + "10130102":                                      "<html>",
		stream + "10090102":                                      "\x00\x00\x00\x00\x05\x00\x00\x00MELA\x00\x00\x00\x00{\\rt}",
		in + stream + "37010102":                                 "inert",
		in + stream + "3707001F":                                 "a\x00.\x00e\x00x\x00e\x00",
		in + stream + "370E001E":                                 "Application/X",
		object + "__properties_version1.0":                       "x",
		object + in + stream + "37010102":                        "deep",
		object + in + stream + "3704001E":                        "DEEP.TXT",
		attachment + "#00000002/" + stream + "3701000D/CONTENTS": "object",
	})
}

func TestItem(t *testing.T) {
	r := childtest.One(t, New(), "x.msg", inspect.Msg, build())
	got := map[string]int64{}
	for _, f := range r.Files[1:] {
		got[f.Name] = f.Size
	}
	want := map[string]int64{"body.html": 6, "body.rtf": 5, "a.exe": 5, "DEEP.TXT": 4, "CONTENTS": 6}
	for n, size := range want {
		if got[n] != size {
			t.Errorf("%s has %d bytes, want %d", n, got[n], size)
		}
	}
	if len(got) != len(want) || len(r.Facts) > 0 || len(r.Texts) != 1 || r.Texts[0].Text != "Hi" {
		t.Errorf("%v %v %v", got, r.Facts, r.Texts)
	}
}

func FuzzOutlook(f *testing.F) {
	f.Add(build())
	f.Fuzz(func(t *testing.T, b []byte) { childtest.Bytes(t, New(), inspect.Msg, b) })
}

func BenchmarkOutlook(b *testing.B) {
	body := cfbtest.Build(map[string]string{attachment + "#00000000/" + stream + "37010102": strings.Repeat("content ", 1<<17)})
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		childtest.One(b, New(), "a", inspect.Msg, body)
	}
}
