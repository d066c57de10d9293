/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "control/ctl_args.h"
#include "control/ctl_client.h"
#include "control/ctl_print.h"

int ctl_fail(struct ctl *ctl, int code, struct error *error)
{
    fprintf(ctl->log, "%s: ", ctl->program != NULL ? ctl->program : "retrogatectl");
    ctl_print_text(ctl->log, error->text, false);
    fputc('\n', ctl->log);
    ctl->failure = error->code;
    error_free(error);
    return code;
}

int ctl_do(struct ctl *ctl, json_t *command, json_t **result)
{
    struct error *error = NULL;
    char path[108];
    bool lost = false;
    *result = NULL;
    if (ctl->client == NULL) {
        if (ctl->socket == NULL && !ctl_client_default_path(path, sizeof path, &error))
            return ctl_fail(ctl, CTL_USAGE, error);
        ctl->client = ctl_client_open(ctl->socket != NULL ? ctl->socket : path, &error);
        if (ctl->client == NULL)
            return ctl_fail(ctl, CTL_UNREACHABLE, error);
    }
    if (ctl_client_do(ctl->client, command, result, &lost, &error))
        return CTL_DONE;
    return ctl_fail(ctl, lost ? CTL_UNREACHABLE : CTL_REFUSED, error);
}

int ctl_choose_account(struct ctl *ctl, json_t *command)
{
    struct error *error = NULL;
    if (json_object_get(command, "account") != NULL)
        return CTL_DONE;
    if (ctl->account != NULL) {
        if (json_object_set_new(command, "account", json_string(ctl->account)) == 0)
            return CTL_DONE;
        error_set(&error, ERROR_INVALID, "the account's name is not UTF-8");
        return ctl_fail(ctl, CTL_USAGE, error);
    }
    json_t *ask = json_pack("{s:s}", "do", "account.list"), *result = NULL;
    int code = ctl_do(ctl, ask, &result);
    json_decref(ask);
    if (code != CTL_DONE)
        return code;
    const json_t *accounts = json_object_get(result, "accounts");
    json_t *name = json_object_get(json_array_get(accounts, 0), "name");
    size_t count = json_array_size(accounts);
    if (count == 1)
        json_object_set(command, "account", name);
    else if (count == 0)
        error_set(&error, ERROR_NOT_FOUND,
                  "there is no account yet; make one with 'retrogatectl account add NAME'");
    else
        error_set(&error, ERROR_INVALID, "there are %zu accounts; name one with %s or RETROGATE_ACCOUNT",
                  count, ctl->account_option != NULL ? ctl->account_option : "--account");
    json_decref(result);
    if (error != NULL)
        return ctl_fail(ctl, count == 0 ? CTL_REFUSED : CTL_USAGE, error);
    return CTL_DONE;
}

/* Verbs that begin with the same word are listed together; `group` NULL lists all. */
static bool list_verbs(FILE *out, const char *group)
{
    bool any = false;
    size_t length = group != NULL ? strlen(group) : 0;
    for (size_t i = 0; i < ctl_verbs_count; i++) {
        const char *words = ctl_verbs[i].words;
        if (group != NULL && (strncmp(words, group, length) != 0 || words[length] != ' '))
            continue;
        fprintf(out, "  %-20s %s\n", words, ctl_verbs[i].help);
        any = true;
    }
    return any;
}

static void help_verb(FILE *out, const struct ctl_verb *verb)
{
    fputs("usage: retrogatectl ", out);
    ctl_args_usage(out, verb);
    fprintf(out, "\n  %s\n\n", verb->help);
    for (const struct ctl_param *param = verb->params; param->kind != CTL_NOTHING; param++)
        fprintf(out, "  %-22s %s\n", param->name, param->help);
    fprintf(out, "  %-22s %s\n", "--json", "print the answer as JSON");
    if (verb->of_account)
        fprintf(out, "  %-22s %s\n", "--account NAME", "for this account (also RETROGATE_ACCOUNT)");
    fprintf(out, "\nexample: retrogatectl %s\n", verb->example);
}

static void help(FILE *out)
{
    fputs("usage: retrogatectl [--socket PATH] [--account NAME] [--json] VERB ...\n\n", out);
    list_verbs(out, NULL);
    fputs("\n'retrogatectl VERB --help' tells more about one of them.\n", out);
}

static int send_verb(struct ctl *ctl, const struct ctl_args *args)
{
    const struct ctl_verb *verb = args->verb;
    struct error *error = NULL;
    json_t *result = NULL;
    int code = verb->of_account ? ctl_choose_account(ctl, args->command) : CTL_DONE;
    if (code != CTL_DONE)
        return code;
    if (verb->prepare != NULL && !verb->prepare(ctl, args->command, args->options, &error))
        return ctl_fail(ctl, CTL_REFUSED, error);
    code = ctl_do(ctl, args->command, &result);
    if (ctl->clock != NULL)
        ctl->now_ms = ctl->clock();
    if (code == CTL_DONE && ctl->json) {
        json_dumpf(result, ctl->out, JSON_INDENT(2));
        fputc('\n', ctl->out);
    } else if (code == CTL_DONE) {
        ctl_print(ctl, verb->layout, result);
        if (verb->after != NULL)
            verb->after(ctl, args->command, args->options, result);
    }
    json_decref(result);
    return code;
}

static int run(struct ctl *ctl, int argc, char **argv)
{
    struct ctl_args args;
    struct error *error = NULL;
    int code = CTL_DONE;
    if (!ctl_args_parse(ctl, argc, argv, &args, &error)) {
        const struct ctl_verb *verb = args.verb;
        code = ctl_fail(ctl, CTL_USAGE, error);
        if (verb != NULL) {
            fputs("usage: retrogatectl ", ctl->log);
            ctl_args_usage(ctl->log, verb);
        } else if (args.group == NULL || !list_verbs(ctl->log, args.group)) {
            fputs("'retrogatectl --help' lists the verbs\n", ctl->log);
        }
    } else if (args.help && args.verb != NULL) {
        help_verb(ctl->out, args.verb);
    } else if (args.help && args.group != NULL && list_verbs(ctl->out, args.group)) {
        fputs("\n'retrogatectl VERB --help' tells more about one of them.\n", ctl->out);
    } else if (args.help) {
        help(ctl->out);
    } else if (args.verb == NULL) {
        help(ctl->log);
        code = CTL_USAGE;
    } else {
        if (ctl->account == NULL)
            ctl->account = getenv("RETROGATE_ACCOUNT");
        code = args.verb->run != NULL ? args.verb->run(ctl, args.options) : send_verb(ctl, &args);
    }
    ctl_args_free(&args);
    return code;
}

int ctl_run(struct ctl *ctl, int argc, char **argv)
{
    int code = run(ctl, argc, argv);
    ctl_client_close(ctl->client);
    ctl->client = NULL;
    if (fflush(ctl->out) != 0 && code == CTL_DONE)
        code = CTL_REFUSED;
    return code;
}
