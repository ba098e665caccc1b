package text

import (
	"slices"

	"sluice/message"
)

const maxHosts = 50

// FromMessage picks the document out of m.
func FromMessage(m *message.Message) *Document {
	v := m.View()
	d := &Document{Subject: v.Subject, Text: v.Text}
	if len(d.Text) == 0 {
		d.Text = v.Alt // a message of pictures shows these words where it shows no picture
	}
	for i := range v.Links {
		l := &v.Links[i]
		if l.Host == "" || l.Hidden || len(d.Hosts) == maxHosts || slices.Contains(d.Hosts, l.Host) {
			continue
		}
		d.Hosts = append(d.Hosts, l.Host)
	}
	return d
}
