package auth

import (
	"context"
	"errors"
	"net/netip"
)

var errTODO = errors.New("auth: not finished")

type seen struct{}

// Store …
type Store struct{}

func Open(ctx context.Context, o Options) (*Store, error) { return nil, errTODO }
func (s *Store) Close() error                             { return nil }

// Login checks the password and makes a new host key.
func (s *Store) Login(ctx context.Context, user, password string, from netip.Addr, client string) (hkey string, err error) {
	return "", errTODO
}

// Authenticate is Login without a host key.
func (s *Store) Authenticate(ctx context.Context, user, password string, from netip.Addr, client string) error {
	return errTODO
}
func (s *Store) Session(ctx context.Context, hkey string) (Session, error) { return Session{}, errTODO }
func (s *Store) SessionBySK(ctx context.Context, sk string) (Session, error) {
	return Session{}, errTODO
}

// Seen notes that a device was active; cheap, call it once per sync (meta).
func (s *Store) Seen(sess Session, from netip.Addr, client string)        {}
func (s *Store) Logout(ctx context.Context, hkey string) error            { return errTODO }
func (s *Store) AddUser(ctx context.Context, name, password string) error { return errTODO }

// ImportUser adds a user with an existing hash (legacy or PHC).
func (s *Store) ImportUser(ctx context.Context, name, hash string) error { return errTODO }
func (s *Store) DeleteUser(ctx context.Context, name string) (existed bool, err error) {
	return false, errTODO
}
func (s *Store) SetPassword(ctx context.Context, name, password string) error   { return errTODO }
func (s *Store) Users(ctx context.Context) ([]string, error)                    { return nil, errTODO }
func (s *Store) HasUser(ctx context.Context, name string) (bool, error)         { return false, errTODO }
func (s *Store) Devices(ctx context.Context, user string) ([]Device, error)     { return nil, errTODO }
func (s *Store) RevokeDevice(ctx context.Context, id string) error              { return errTODO }
func (s *Store) RevokeUser(ctx context.Context, name string) (n int, err error) { return 0, errTODO }

// ValidUserName …
func ValidUserName(name string) error { return errTODO }
