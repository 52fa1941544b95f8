// Package config makes one typed, checked Config out of the built-in
// defaults, a configuration file, the environment and the command line, in
// that order; what comes later wins.
//
// It reads what the servers before us left behind, as they read it: the
// ankisyncd.conf of the Python servers (docs/compat.md §1.1-1.6), the
// production.ini of AnkiServer (§1.7), the ankisyncd.toml of ankisyncd-rs
// (§1.8) and the SYNC_* variables of the official server (§1.9).
//
// Only package main imports it: main hands every other room an Options struct
// of that room's own. It knows nothing of users, collections or HTTP, opens no
// socket and no database, and never writes a file.
//
// Every key is described once, in keys_table.go, beside the field that it sets;
// the shipped ankisyncd.conf and docs/configuration.md are made from that table.
package config
