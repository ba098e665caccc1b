// Package smtp is the SMTP language: command lines, paths, parameters, replies,
// enhanced codes, and the framing of messages. It is pure: bytes in, values out.
// It follows RFC 5321, with RFC 1870 (SIZE), 2034 and 3463 (enhanced codes), 3030
// (BDAT), 3461 (DSN), 6152 (8BITMIME) and 6531 (SMTPUTF8).
package smtp
