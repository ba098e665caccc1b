// Package copycat remembers the campaigns that domains with a good name authenticated
// and that reached several people, so that a later copy is known for one: mail that is
// nearly the same, whose sender has no right to it, and whose call to action leads
// somewhere else. Nobody fills in a list; the genuine mail is the list.
//
// # What is remembered
//
// Of each campaign: its domain and subject, the dates, a sample of the runs of three
// words of its text, the order of its tags, its pictures by address or content, the
// sites that it leads to, and of these the ones that its most prominent links lead to,
// with the words on them (see [Call]); the logo that it encloses.
//
// # What is a copy
//
// Three things together. The message is near a remembered campaign: by its text or,
// where that was reworded or made a picture, by its layout together with the owner's
// own links and pictures, or by the owner's name, button and subject. Its sender lacks
// the right: it isn't authenticated (DMARC aligned) as the owner or as a domain that
// the site knows for the owner's. And its call to action leads neither to the owner
// nor where the campaign's did. A call that nobody could judge (another host of the
// tracking service that the campaign used, a gateway's rewritten link) makes a hint at
// most.
//
// Mail that people pass on keeps the genuine button, whatever they write around it.
// So a message that bears marks of a forward, a reply or a list is a copy only where
// the button itself, known by its words, leads elsewhere.
//
// # What keeps it from being poisoned
//
// Only mail of domains with a history teaches, and only what isn't itself near the
// campaign of another domain. A run of words, a picture or a layout that three owners
// have used is nobody's. Whoever is first with a text doesn't own those who come
// later: a domain that authenticates its mail and leads to itself is no copy-cat,
// unless its mail keeps another's links or names another in its text. Nor is mail that
// leads to its author a copy of somebody whom it doesn't go by the name of. An owner
// has room for a few dozen campaigns and can't push out those of others.
//
// # What it costs
//
// Arrays of fixed size. A look-up reads one cache line for each of at most four
// hundred features, and the records of the few campaigns that share several of them.
package copycat
