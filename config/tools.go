package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"time"
)

// Tools are installed programs that look at files beside the decoders: yara and
// tesseract. Nothing of it runs unless it is asked for. It is read at the start only; the
// files of rules are read again when they change.
type Tools struct {
	// YARARules are files of YARA rules, or patterns of such: "/etc/sluice/yara/*.yar".
	// Empty: no YARA.
	YARARules []string `toml:"yara_rules"`
	// OCR reads text in pictures, in OCRLanguages by tesseract's names.
	OCR          bool     `toml:"ocr"`
	OCRLanguages []string `toml:"ocr_languages"`
	// OCRPictures is how many pictures of one message are read, OCRText how many letters
	// and digits the message shows at most for that.
	OCRPictures int `toml:"ocr_pictures"`
	OCRText     int `toml:"ocr_text"`
	// Processes is how many run programs, Memory the address space that a program may
	// use, Time how long they may take for one message, Queue how many messages may wait.
	Processes int      `toml:"processes"`
	Memory    Size     `toml:"memory"`
	Time      Duration `toml:"time"`
	Queue     int      `toml:"queue"`
	// Bytes bounds what is scanned of files in other files, of one message.
	Bytes Size `toml:"bytes"`
	// Unavailable says what becomes of a message whose files the tools could not look at:
	// "accept" or "defer".
	Unavailable string `toml:"unavailable"`
}

// Off says whether nothing is asked for.
func (t *Tools) Off() bool { return len(t.YARARules) == 0 && !t.OCR }

func defaultTools() Tools {
	return Tools{OCRLanguages: []string{"eng"}, OCRPictures: 3, OCRText: 600, Processes: 1, Memory: 512 << 20, Time: dur(10 * time.Second),
		Queue: 16, Bytes: 32 << 20, Unavailable: "accept"}
}

// language is the form of tesseract's names: "eng", "chi_sim", "script/Latin".
var language = regexp.MustCompile(`^[A-Za-z][A-Za-z_]*(/[A-Za-z_]+)?$`)

func (c *Config) checkTools() error {
	t := &c.Tools
	switch {
	case !t.Off() && c.Files.Off:
		return errors.New("config: tools: they look at what [files] finds, and files.off is set")
	case t.OCR && len(t.OCRLanguages) == 0:
		return errors.New("config: tools: ocr_languages: want one or more, such as eng")
	case t.OCRPictures < 1 || t.OCRPictures > 8:
		return fmt.Errorf("config: tools: ocr_pictures %d: want 1 to 8", t.OCRPictures)
	case t.OCRText < 0:
		return fmt.Errorf("config: tools: ocr_text %d: want 0 or more", t.OCRText)
	case t.Processes < 1 || t.Processes > 16:
		return fmt.Errorf("config: tools: processes %d: want 1 to 16", t.Processes)
	case t.Memory < 128<<20:
		return fmt.Errorf("config: tools: memory %d: want 128MB or more", t.Memory)
	case t.Time.Duration < time.Second || t.Time.Duration > time.Minute:
		return fmt.Errorf("config: tools: time %v: want 1s to 1m", t.Time)
	case t.Queue < 1 || t.Queue > 64:
		return fmt.Errorf("config: tools: queue %d: want 1 to 64", t.Queue)
	case t.Bytes < 1<<20 || t.Bytes > 32<<20:
		return fmt.Errorf("config: tools: bytes %d: want 1MB to 32MB", t.Bytes)
	case t.Unavailable != "defer" && t.Unavailable != "accept":
		return fmt.Errorf("config: tools: unavailable %q: want accept or defer", t.Unavailable)
	}
	for _, l := range t.OCRLanguages {
		if !language.MatchString(l) {
			return fmt.Errorf("config: tools: ocr_languages: %q is no name of a language, such as eng or deu", l)
		}
	}
	for _, p := range t.YARARules {
		if _, err := filepath.Match(p, ""); err != nil || !filepath.IsAbs(p) {
			return fmt.Errorf("config: tools: yara_rules: %q: want an absolute path or pattern", p)
		}
	}
	return nil
}
