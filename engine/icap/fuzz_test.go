package icap

import (
	"bufio"
	"bytes"
	"testing"

	"sluice/engine"
)

func FuzzAnswer(f *testing.F) {
	for _, s := range []string{
		"ICAP/1.0 204 No Content\r\nISTag: \"a\"\r\n\r\n",
		"ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=23\r\n\r\nHTTP/1.1 200 OK\r\nA: b\r\n\r\n7\r\nmessage\r\n0\r\n\r\n",
		"ICAP/1.0 200 OK\r\nX-Infection-Found: Type=0; Resolution=2; Threat=A;\r\nEncapsulated: res-body=0\r\n\r\n5;x=y\r\nhello\r\n0\r\nT: u\r\n\r\n",
		"ICAP/1.0 403 x\r\nX-Violations-Found: 1\r\n\tf\r\n\tWorm\r\n\t0\r\n\t0\r\n\r\n",
		"ICAP/1.0 200 OK\r\nEncapsulated: null-body=0\r\nPreview: 10\r\nOptions-TTL: 5\r\nMax-Connections: 7\r\n\r\n",
	} {
		f.Add([]byte(s), []byte("message"))
	}
	c := &Client{}
	f.Fuzz(func(t *testing.T, said, body []byte) {
		r := bufio.NewReader(bytes.NewReader(said))
		a, err := readAnswer(r)
		if err != nil {
			return
		}
		if o := readOptions(a.fields); o.preview > maxPreview || o.ttl < minOptions || o.ttl > maxOptions || cap(o.slots) >= 1000 {
			t.Errorf("options %+v", o)
		}
		v, err := c.read(r, a, body)
		if err != nil {
			return
		}
		found, err := v.findings("x")
		if err == nil && len(found) == 0 && a.code != 204 && a.code != 200 && a.code != 201 {
			t.Errorf("code %d is clean", a.code)
		}
		if len(found) > maxNames {
			t.Errorf("%d findings", len(found))
		}
		for _, x := range found {
			if x.Signature != engine.Printable(x.Signature, engine.MaxSignature) || x.Signature == "" {
				t.Errorf("signature %q", x.Signature)
			}
		}
	})
}
