package cli

import (
	"context"
	"fmt"
	"time"

	"atrium/internal/server"
)

type organization struct {
	Add organizationAdd `cmd:"" help:"Make a further organization on this server, with its admin."`
}

type organizationAdd struct {
	Name       string `required:"" help:"Name of the organization." placeholder:"NAME"`
	AdminEmail string `required:"" help:"E-mail address of its admin." placeholder:"ADDRESS"`
}

// Run makes it in the database that the settings name. With SQLite the server
// must be stopped, because one process owns the data folder.
func (o *organizationAdd) Run(t *terminal) (err error) {
	cfg, err := server.Load(t.config, nil)
	if err != nil {
		return err
	}
	log, err := newLog(t.err, cfg)
	if err != nil {
		return err
	}
	s, err := server.New(t.ctx, server.Options{Config: cfg, Log: log})
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if closed := s.Close(ctx); err == nil {
			err = closed
		}
	}()
	token, err := s.AddOrganization(t.ctx, o.Name, o.AdminEmail)
	if err != nil {
		return err
	}
	fmt.Fprintf(t.out, "Organization %s made. Its admin %s chooses a password at\n  %s/setup?token=%s\nThe link works once, for a day.\n", o.Name, o.AdminEmail, s.PublicURL(), token)
	return nil
}
