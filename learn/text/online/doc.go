// Package online learns at a site, one labelled message after another: a relaxed
// online support vector machine (Sculley and Wachman, SIGIR 2007) over hashed
// byte 4-grams and orthogonal sparse bigrams of several views of a message.
//
// Two sets of weights are learned side by side: a slow one (C = 1) from everybody's
// labels, which ten wrong ones in a hundred hardly harm, and a fast one (C = 100)
// from trusted labels only. A Learner's goroutine owns what is written; readers use
// snapshots that never change and never wait. The same labels in the same order
// give the same state, bit for bit. DESIGN.md in this folder has the figures.
package online
