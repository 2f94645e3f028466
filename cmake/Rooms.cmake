# A room of the house (src/NAME) is one static library pl_NAME; a test is one program under CTest.

add_library(pl_flags INTERFACE)
target_compile_options(pl_flags INTERFACE -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes
                       -ffp-contract=off -fno-math-errno)
target_compile_definitions(pl_flags INTERFACE _POSIX_C_SOURCE=200809L)
target_include_directories(pl_flags INTERFACE ${CMAKE_SOURCE_DIR}/include ${CMAKE_SOURCE_DIR}/src)
if(PLIMSOLL_WERROR)
  target_compile_options(pl_flags INTERFACE -Werror)
endif()
if(PLIMSOLL_FUZZ)
  target_compile_options(pl_flags INTERFACE -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -g)
  target_link_options(pl_flags INTERFACE -fsanitize=address,undefined)
elseif(PLIMSOLL_SANITIZE)
  target_compile_options(pl_flags INTERFACE -fsanitize=${PLIMSOLL_SANITIZE} -fno-omit-frame-pointer -g)
  target_link_options(pl_flags INTERFACE -fsanitize=${PLIMSOLL_SANITIZE})
endif()

# The Python that runs test scripts: standard library only, so any python3 will do.
find_program(PLIMSOLL_PYTHON NAMES python3 REQUIRED)

# pl_room(NAME SOURCES a.c b.c DEPS pl_base PkgConfig::JANSSON ...)
function(pl_room name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_library(pl_${name} STATIC ${ARG_SOURCES})
  target_link_libraries(pl_${name} PUBLIC pl_flags ${ARG_DEPS})
endfunction()

# pl_test(NAME SOURCES t.c DEPS pl_base ... [ARGS ...] [LABELS ...])
# Labels: threads (also run under ThreadSanitizer), exact (measures memory or time of the process:
# not run under sanitizers).
function(pl_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS;ARGS;LABELS" ${ARGN})
  add_executable(test_${name} ${ARG_SOURCES})
  target_link_libraries(test_${name} PRIVATE pl_flags ${ARG_DEPS} PkgConfig::CMOCKA)
  target_include_directories(test_${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests)
  target_compile_definitions(test_${name} PRIVATE PL_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  add_test(NAME ${name} COMMAND test_${name} ${ARG_ARGS})
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT 600)
endfunction()

# pl_script(NAME FILE script.py [ARGS ...] [LABELS ...]): a test written in Python.
function(pl_script name)
  cmake_parse_arguments(ARG "" "FILE" "ARGS;LABELS" ${ARGN})
  add_test(NAME ${name} COMMAND ${PLIMSOLL_PYTHON} -B ${CMAKE_CURRENT_SOURCE_DIR}/${ARG_FILE} ${ARG_ARGS})
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT 900 SKIP_RETURN_CODE 77)
endfunction()

add_custom_target(fuzzers)
# pl_fuzz(NAME SOURCES f.c DEPS pl_json ... [RUNS n]): a fuzz target. With PLIMSOLL_FUZZ it is built for
# libFuzzer; else with a main that runs it over its seeds and RUNS fixed mutations of them, as a test.
# Seeds: tests/fuzz/seeds/NAME/. May stand in the CMakeLists.txt of any room's tests.
function(pl_fuzz name)
  cmake_parse_arguments(ARG "" "RUNS" "SOURCES;DEPS" ${ARGN})
  set(main ${CMAKE_SOURCE_DIR}/tests/fuzz/bounded.c)
  if(PLIMSOLL_FUZZ)
    set(main)
  endif()
  add_executable(fuzz_${name} ${ARG_SOURCES} ${main})
  target_link_libraries(fuzz_${name} PRIVATE pl_flags ${ARG_DEPS})
  target_include_directories(fuzz_${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests)
  target_compile_options(fuzz_${name} PRIVATE -UNDEBUG) # its assertions are the test
  set_target_properties(fuzz_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
  if(PLIMSOLL_FUZZ)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    add_dependencies(fuzzers fuzz_${name})
    return()
  endif()
  set(runs 2000)
  if(ARG_RUNS)
    set(runs ${ARG_RUNS})
  endif()
  add_test(NAME fuzz_${name} COMMAND fuzz_${name} ${runs} ${CMAKE_SOURCE_DIR}/tests/fuzz/seeds/${name})
  set_tests_properties(fuzz_${name} PROPERTIES TIMEOUT 600)
endfunction()
