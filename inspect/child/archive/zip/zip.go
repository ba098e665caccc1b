// Package zip opens ZIP archives and everything built on them. It reads the
// directory and the local headers, says where they differ, and unpacks both
// readings: unpackers differ in which one they believe.
package zip
