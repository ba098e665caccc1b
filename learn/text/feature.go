package text

// ExtractorVersion names the way from text to features. Weights made with one
// version mean nothing to another; models carry it.
const ExtractorVersion = 1

// Sizes of the feature space and of the look at one message.
const (
	tableBits = 20
	tableSize = 1 << tableBits

	maxText    = 64 << 10 // normalised octets that are looked at
	maxSubject = 1 << 10
	maxTail    = 16 << 10 // how many of them come from the end of a longer text

	blockWords = 60  // in a block: the least that is read apart is two of them
	blockBytes = 480 // … or this much text with fewer spaces
	gramLen    = 5   // octets
	maxWord    = 40  // octets of a word that are hashed
)

// Salts keep the kinds of features apart in one table.
const (
	saltGram    = 0x243F6A88
	saltWord    = 0x85A308D3
	saltPair    = 0x13198A2E
	saltSubject = 0x03707344
	saltHost    = 0xA4093822
)

// features are one text's features in the order of the text, repeats included,
// cut into blocks. It is scratch memory, used again for the next text.
type features struct {
	text   []byte   // the normalised text
	index  []uint32 // slots of the table
	blocks []block
	marks  []mark
}

// mark is a word and the end of its features in index: of those that end in it
// or in the gap before it.
type mark struct {
	from, to, features int32
}

// block is a run of about 60 words.
type block struct {
	features int // end of its features in index
	text     int // end of its text
}

// extract fills f with the features of d.
func (f *features) extract(d *Document) {
	f.text, f.index, f.blocks, f.marks = f.text[:0], f.index[:0], f.blocks[:0], f.marks[:0]

	f.text, _ = closeLetterspacing(appendNormal(f.text, d.Subject, maxSubject))
	subject := len(f.text)
	f.text = append(f.text, ' ')
	body := len(f.text)
	if d.Shown.is(d.Text, maxText) {
		f.text = append(f.text, d.Shown.plain...)
	} else if len(d.Text) <= maxText {
		f.text = appendNormal(f.text, d.Text, maxText)
	} else {
		f.text = appendNormal(f.text, d.Text[:maxText-maxTail], maxText-maxTail)
		f.text = append(f.text, ' ')
		f.text = appendNormal(f.text, d.Text[len(d.Text)-maxTail:], maxTail)
	}
	if !d.Shown.is(d.Text, maxText) {
		shorter, _ := closeLetterspacing(f.text[body:])
		f.text = f.text[:body+len(shorter)]
	}
	for _, h := range d.Hosts {
		f.host(h)
	}
	f.marks = append(f.marks, mark{features: int32(len(f.index))})
	f.words(subject)
}

// words walks the text once and emits byte 5-grams, words, pairs of words and,
// in the subject, words apart from those of the body.
func (f *features) words(subject int) {
	var (
		gram  uint64
		word  uint32 = fnvBasis
		wlen  int
		prev  uint32
		n     int
		start int
	)
	text := f.text
	for i := 0; i <= len(text); i++ {
		c := byte(' ')
		if i < len(text) {
			c = text[i]
			gram = (gram<<8 | uint64(c)) & (1<<(8*gramLen) - 1)
			if i >= gramLen-1 {
				f.index = append(f.index, slot(uint32(gram*0x9E3779B97F4A7C15>>32), saltGram)) // golden ratio: spreads 40 bits over the upper 32
			}
		}
		if wordByte(c) {
			if wlen < maxWord {
				word = (word ^ uint32(c)) * fnvPrime
			}
			wlen++
			if i-start < blockBytes {
				continue
			}
		}
		if wlen > 0 {
			f.index = append(f.index, slot(word, saltWord))
			if i <= subject {
				f.index = append(f.index, slot(word, saltSubject))
			}
			if prev != 0 {
				f.index = append(f.index, slot(prev*0x9E3779B1+word, saltPair))
			}
			f.marks = append(f.marks, mark{int32(i - wlen), int32(i), int32(len(f.index))})
			prev, word, wlen = word, fnvBasis, 0
			n++
		}
		if n >= blockWords || i-start >= blockBytes {
			f.blocks = append(f.blocks, block{len(f.index), i})
			n, start = 0, i
		}
	}
	if len(f.blocks) == 0 || start < len(text) {
		f.blocks = append(f.blocks, block{len(f.index), len(text)})
	}
}

// host emits the labels of a link's host, the last ones together: "ru",
// "example.ru".
func (f *features) host(h string) {
	word, labels := uint32(fnvBasis), 0
	for i := len(h) - 1; i >= 0 && labels < 2; i-- {
		if h[i] == '.' || i == 0 {
			f.index = append(f.index, slot(word, saltHost))
			labels++
		}
		word = (word ^ uint32(h[i])) * fnvPrime
	}
}

// FNV-1a.
const (
	fnvBasis = 2166136261
	fnvPrime = 16777619
)

func wordByte(c byte) bool {
	return 'a' <= c && c <= 'z' || c == '0' || c >= 0x80 || c == '$' || c == '\'' || c == '-' || c == '!' || c == '@'
}

// slot mixes a feature's hash with the salt of its kind (the finaliser of
// MurmurHash3) and cuts it to the table.
func slot(h, salt uint32) uint32 {
	h ^= salt
	h ^= h >> 16
	h *= 0x85EBCA6B
	h ^= h >> 13
	h *= 0xC2B2AE35
	return (h ^ h>>16) >> (32 - tableBits)
}
