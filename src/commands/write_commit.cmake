# Writes commit.hpp from commit.hpp.in; run at every build, so that the commit is the one that is built.
set(PRECIS_COMMIT "unknown")
find_program(GIT git)
if(GIT)
  execute_process(COMMAND ${GIT} --no-optional-locks -C ${SOURCE} rev-parse --short=12 HEAD
                  OUTPUT_VARIABLE found RESULT_VARIABLE failed OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(NOT failed)
    set(PRECIS_COMMIT ${found})
  endif()
endif()
configure_file(${SOURCE}/src/commands/commit.hpp.in ${OUTPUT} @ONLY)
