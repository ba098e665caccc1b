package live

import "time"

// Scanner is one of those that look into files: our own processes, an engine beside us,
// or a list of digests. Its texts but Kind and State may hold what others wrote.
type Scanner struct {
	Name    string    `json:"name"`
	Kind    string    `json:"kind"`  // [ScannerProcesses], [ScannerEngine], [ScannerList]
	State   string    `json:"state"` // "up", "down", "unasked", "probing"
	Well    bool      `json:"well"`  // there is nothing for an admin to do
	Since   time.Time `json:"since,omitzero"`
	Words   string    `json:"words,omitzero"`   // what it is, or says of itself
	Trouble []string  `json:"trouble,omitzero"` // what an admin should look at

	Processes int       `json:"processes,omitzero"` // there are to be
	Running   int       `json:"running,omitzero"`   // there are now
	Deaths    uint64    `json:"deaths,omitzero"`    // of processes, before their time
	LastDeath time.Time `json:"last_death,omitzero"`
	Waiting   int       `json:"waiting"` // requests in the queue
	Asked     uint64    `json:"asked"`   // with an answer, whole or in part
	Found     uint64    `json:"found"`   // engines: with a finding
	Failed    uint64    `json:"failed"`  // without an answer
	Entries   int       `json:"entries,omitzero"`
}

// The kinds of scanners.
const (
	ScannerProcesses = "processes"
	ScannerEngine    = "engine"
	ScannerList      = "list"
)
