// Package links finds links in text and HTML and takes URLs apart as mail
// clients and browsers do.
package links

// Source says where a link came from.
type Source uint8

// The sources.
const (
	FromText   Source = iota // a URL written in plain text
	FromAnchor               // <a href>, <area href>
	FromImage                // <img src> and the like
	FromForm                 // <form action>
	FromOther                // <base>, <link>, <meta refresh>, CSS, …
)

// Link is one link as written and as understood.
type Link struct {
	Raw    string // as written, entities decoded; hostile
	Scheme string // lower case, "" for none
	Host   string // lower case, A-labels, as a browser would resolve it; "" for none
	Port   string
	Path   string // path, query and fragment
	User   string // userinfo before "@"
	Text   string // what the person sees as the link's text
	Source Source
	Hidden bool // the person does not see it
	Part   int  // MIME part index
	Range  struct{ Off, Len int }
}
