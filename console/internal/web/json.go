package web

import (
	"encoding/json"
	"net/http"
)

// JSON answers with v.
func JSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	_ = e.Encode(v) // the client is gone
}

// JSONError answers with what is wrong.
func JSONError(w http.ResponseWriter, status int, text string) {
	JSON(w, status, map[string]string{"error": text})
}
