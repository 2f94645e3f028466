/* plimsoll-watch: started by `plimsoll watch` and `plimsoll devices` with the verb as its first
 * argument, and of use alone too. */
#include "watch/watch.h"

#include <locale.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    watch_options o;
    pl_error e;
    pl_os_view view = {"/proc", "/sys", NULL};
    setlocale(LC_CTYPE, ""); /* for ncurses; numbers stay those of C */
    if (watch_options_parse(argc, argv, &o, &e))
        return watch_fail(&e);
    if (o.help) {
        watch_out out;
        watch_out_start(&out, STDOUT_FILENO);
        watch_help_print(o.devices, &out);
        watch_out_flush(&out);
        return out.error ? pl_status_exit_code(PL_MACHINE) : 0;
    }
    return watch_loop(&o, &view);
}
