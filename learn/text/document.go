package text

// Document is what the learner may look at of a message. Headers are left out on
// purpose, but for the subject: those that receivers and lists add say where a
// message was collected, not what it is.
type Document struct {
	Subject string
	Text    string   // what a person would see
	Hosts   []string // hosts of the links that a person can follow, each once
	Shown   *Shown   // Text made plain before, if it was
}
