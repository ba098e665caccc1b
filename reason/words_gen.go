// Code generated from words/*.toml by go generate ./reason; DO NOT EDIT.

package reason

// tongues are sorted by code, their words by ID.
var tongues = [...]tongue{
	{"de", wordsDE[:]},
}

var wordsDE = [...]Words{
	{ID: "SPF_FAIL", Page: "Der SPF-Eintrag der Absenderdomain verbietet dem Server, der die Nachricht brachte, in ihrem Namen zu senden.", Fix: "Nehmen Sie den Server in den SPF-Eintrag auf, oder senden Sie über einen Server, der darin steht."},
}
