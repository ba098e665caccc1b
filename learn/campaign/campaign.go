// Package campaign remembers what many messages have in common, so that what is
// learned of one holds for the rest: a report of one phish blocks the others, a new
// text from strangers all over the world within an hour is an outbreak, and the
// newsletter that a domain authenticates and people want is known as such.
//
// # What is alike
//
// A message is known by its text (runs of three words of what a person sees), where
// there is hardly any text by the order of its HTML's tags, and by its attached
// files. Text and tags are compared by MinHash: bands of three slots lead to what may
// be alike, 128 bits estimate how much. A cluster is what hangs together by pairs that
// are alike by half; each message must also resemble the first one, so that nobody can
// make it drift to where they want it.
//
// Left out of the text is what differs between copies (digits, dates, addresses,
// names of recipients) and what unrelated mail shares: quoted text, signatures,
// footers of lists, legal notices. A text of fewer than twelve different runs says
// nothing. A text that eight domains with a good name have sent is nobody's.
//
// # What protects
//
// A cluster may hold campaigns of its own of up to three domains: of mail that
// authenticated as them (DMARC aligned) and whose name is known to be good. Such a
// campaign is wanted where two sources said so, or where it reached many and nobody
// complained for an hour. This protects mail that the same domain authenticates and
// that leads where the campaign's links led on its first day; a copy gains nothing,
// and bad mail added to the cluster changes nothing of it. A report about a copy
// isn't held against the owner, nor against mail that leads to the owner's sites
// alone, such as a forwarded one.
//
// # What it costs
//
// Everything is kept in arrays of fixed size. A look-up reads one bucket of 192
// octets for each of twelve bands, however many there are.
package campaign
