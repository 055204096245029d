/* main.c - the program `gatepost`; all it does is in gateway/cli/. */
#include "gateway/cli/cli.h"
#include "gateway/fault.h"

int main(int argc, char **argv)
{
    fault_watch();
    return cli_main(argc, argv);
}
