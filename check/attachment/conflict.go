package attachment

import (
	"strings"

	"sluice"
	"sluice/check"
	"sluice/reason"
)

// newConflict compares what a part says it is with what its first octets say.
func newConflict() check.Checker {
	return check.Func(check.Info{
		Name: "attachment/conflict", Phase: sluice.PhaseMessage, Group: sluice.GroupAttachment, Cost: check.Cheap,
		Reasons: []sluice.Reason{reason.AttachmentTypeConflict},
	}, func(in *check.Input) []sluice.Evidence {
		var s statements
		for p := range files(in.Message) {
			if !attached(p) {
				continue
			}
			f := sniff(p.data())
			if claim := claims(p); claim != "" && !peaceful(f) {
				s.add(reason.AttachmentTypeConflict, check.Quote(p.Filename)+" claims "+claim+" and is "+f.String(), p)
			}
		}
		return s.list
	})
}

// claims returns "image", "pdf" or "media" where type or name promise something
// harmless. Other types are used so loosely that a conflict says nothing.
func claims(p file) string {
	for _, c := range names(p) {
		switch c.ext {
		case "pdf":
			return "pdf"
		case "jpg", "jpeg", "png", "gif", "bmp", "tif", "tiff", "webp":
			return "image"
		case "mp3", "mp4", "wav", "avi", "mov", "ogg":
			return "media"
		case "":
		default:
			return ""
		}
	}
	switch {
	case p.Type == "application/pdf":
		return "pdf"
	case p.Type == "image/svg+xml":
		return ""
	case strings.HasPrefix(p.Type, "image/"):
		return "image"
	case strings.HasPrefix(p.Type, "audio/"), strings.HasPrefix(p.Type, "video/"):
		return "media"
	}
	return ""
}

// peaceful leaves out what couldn't be recognised, and one harmless format under
// the name of another.
func peaceful(f format) bool {
	switch f {
	case unknown, gzipFile, image, audioVideo, pdf:
		return true
	}
	return false
}
