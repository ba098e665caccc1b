package check

import (
	"slices"

	"sluice/learn/brand"
	"sluice/message/header"
)

// borrows finds the brand whose name the author writes under without being it. A name
// of several brands is nobody's where one of them is proved. A domain that is called as
// the brand under another top-level domain may be the brand's.
func (s *Sender) borrows() (found *brand.Brand) {
	domain := header.Lower(s.Author.Domain)
	for _, n := range brand.Shipped().Display(s.Author.Name, s.Author.Local) {
		b := n.Brand
		switch {
		case b.Sends(domain), slices.ContainsFunc(s.Signers, b.Sends), (s.Aligned || !s.Known) && b.Called(s.Org):
			return nil
		case n.Standing == brand.Writer && found == nil:
			found = b
		}
	}
	return found
}
