package media

// SetHook makes s call f at each step that touches the disk.
func (s *Store) SetHook(f func(step string) error) { s.hook = f }

// SetPortable makes s work as on systems without shortcuts past os.Root.
func (s *Store) SetPortable() { s.portable = true }

// SetBoot makes s believe that it runs after another start of the machine.
func (s *Store) SetBoot(id string) { s.boot = id }

// IsOpen reports whether the user's database is open.
func (s *Store) IsOpen(user string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.users[user]
	return e != nil && e.elem != nil
}

// OpenCount is the number of open databases.
func (s *Store) OpenCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open.Len()
}

const (
	StagingDir = stagingDir
	NewestRow  = newestRow
)

var (
	CheckName   = checkName
	EscapeName  = escapeName
	ReadListing = readListing
)
