/*
 * user_settings.h - the KEY=VALUE words behind a user's name: pop3= imap= mapi= (on, off), locked=
 * admin= master= (yes, no), expires= (a date, or never), display-name=, nt-domain=, alias+= and
 * alias-=, delegate+= and delegate-=, quota= (bytes, or none).
 */
#ifndef GATEPOST_GATEWAY_CLI_USER_SETTINGS_H
#define GATEPOST_GATEWAY_CLI_USER_SETTINGS_H

#include "gateway/cli/cli.h"

enum user_settings_of {
    USER_SETTINGS_ALL,
    USER_SETTINGS_APP_PASSWORD, /* protocols and expiry only */
};

/* The operands from number `from` on. Says what is wrong; returns CLI_OK or how to exit. */
int user_settings_apply(const struct cli *cli, const struct cli_world *world, size_t from,
                        enum user_settings_of of, struct account *a, struct arena *in);

#endif
