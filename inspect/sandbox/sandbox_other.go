//go:build !linux

package sandbox

func none() []Layer {
	const why = "only Linux has it"
	return []Layer{{LayerPrivileges, false, why}, {LayerLimits, false, why}, {LayerLandlock, false, why}, {LayerSeccomp, false, why}}
}

// Available says what this machine has.
func Available() []Layer { return none() }

// Enter does what this machine has: nothing.
func Enter(Config) ([]Layer, error) { return none(), nil }
