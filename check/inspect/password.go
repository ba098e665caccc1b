package inspect

import (
	"slices"
	"strings"
	"unicode"

	"sluice/inspect"
	"sluice/message"
)

// keywords come before a password, in the languages that lures are written in.
var keywords = []string{"password", "passwort", "kennwort", "passcode", "passphrase", "pass", "pwd", "pw", "code", "pin", "key",
	"mot de passe", "contraseña", "clave", "senha", "parola", "wachtwoord", "hasło", "heslo", "пароль", "密码", "密碼", "パスワード"}

// passwords lists words of the message that may open a locked file: first those
// behind a word for password, then those that look made up, then the names of files
// and the sender's words. At most [inspect.MaxPasswords].
func passwords(m *message.Message) []string {
	v := m.View()
	text := v.Text
	if len(text) > 64<<10 {
		text = text[:64<<10]
	}
	var out []string
	add := func(s string) {
		if len(s) > 0 && len(s) <= inspect.MaxPassword && len(out) < inspect.MaxPasswords && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	for _, s := range []string{v.Subject, text} {
		for _, w := range behind(s) {
			for _, form := range forms(w) {
				add(form)
			}
		}
	}
	for _, w := range strings.Fields(v.Subject + " " + text) {
		if w = strings.Trim(w, ".,:;!?\"'()[]<>«»„“”"); madeUp(w) {
			add(w)
		}
	}
	for _, w := range []string{"infected", "1234", "12345", "123456", "password"} { // by custom
		add(w)
	}
	return out
}

// behind returns the words that follow a keyword, at most three for each.
func behind(text string) (out []string) {
	lower := strings.ToLower(text)
	if len(lower) != len(text) { // letters whose cases differ in length
		text = lower
	}
	for _, k := range keywords {
		for at := 0; len(out) < 3*inspect.MaxPasswords; {
			i := strings.Index(lower[at:], k)
			if i < 0 {
				break
			}
			at += i + len(k)
			if at < len(lower) && isWord(rune(lower[at])) {
				continue // a longer word
			}
			rest := text[at:min(len(text), at+120)]
			out = append(out, firstWords(rest, 3)...)
		}
	}
	return out
}

// firstWords skips fillers such as ":" and "is".
func firstWords(s string, n int) (out []string) {
	for _, w := range strings.Fields(s) {
		switch strings.ToLower(strings.Trim(w, ":=-–—.,\"'")) {
		case "", "is", "ist", "est", "es", "e", "the", "for", "to", "file", "archive", "zip", "lautet", "das", "für", "и", "—":
			continue
		}
		if out = append(out, w); len(out) == n {
			break
		}
	}
	return out
}

// forms are the readings of a word with punctuation around it.
func forms(w string) []string {
	out := []string{w}
	if t := strings.Trim(w, ":=\"'()[]<>«»„“”"); t != w {
		out = append(out, t)
	}
	if t := strings.Trim(w, ".,:;=!?\"'()[]<>«»„“”"); t != w {
		out = append(out, t)
	}
	return out
}

// madeUp says whether a word looks like a password: digits, or letters of both cases
// and digits, not a plain word.
func madeUp(w string) bool {
	if len(w) < 3 || len(w) > 32 {
		return false
	}
	digit, upper, other := false, false, false
	for i, r := range w {
		switch {
		case unicode.IsDigit(r):
			digit = true
		case unicode.IsUpper(r):
			upper = upper || i > 0
		case !unicode.IsLetter(r):
			other = true
		}
	}
	return digit || upper || other && !strings.ContainsAny(w, "/:")
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
