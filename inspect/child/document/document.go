// Package document lists the decoders of documents, pages, scripts and shortcuts.
// Each stands in a folder below and opens what one family of programs opens.
package document

import (
	"sluice/inspect/child"
	"sluice/inspect/child/document/calendar"
	"sluice/inspect/child/document/ole"
	"sluice/inspect/child/document/ooxml"
	"sluice/inspect/child/document/page"
	"sluice/inspect/child/document/pdf"
	"sluice/inspect/child/document/rtf"
	"sluice/inspect/child/document/script"
	"sluice/inspect/child/document/shortcut"
)

// Decoders are all of them.
func Decoders() []child.Decoder {
	return []child.Decoder{ole.Decoder{}, pdf.Decoder{}, page.Decoder{}, ooxml.Decoder{}, rtf.Decoder{}, script.Decoder{}, shortcut.Decoder{}, calendar.Decoder{}}
}
