// Package text holds the checks of what a message says: the anti-spam test
// string, and writing made to look one way to people and another to machines. What a
// message's words weigh altogether is the text model's business, what it asks for that
// of check/scam.
package text

import "sluice/check"

// Checks returns the checks of this folder that need no model.
func Checks() []check.Checker {
	return []check.Checker{newGTUBE(), newHidden(), newDisguise()}
}
