# The program `plimsoll` is linked statically where the system has the archives: its resident size is
# then known before it starts, which the plan counts on. Sanitizers need the shared C library.
#
# PLIMSOLL_STATIC  ON (default where libc.a is found and no sanitizer is asked for): `-static`
# Libraries with an archive (libNAME.a) are linked from it in either case; the others stay shared,
# and then the program is not static as a whole: pl_program_static() says so while configuring.

function(pl_find_archive out name)
  find_library(${out} NAMES lib${name}.a PATHS ${ARGN})
  mark_as_advanced(${out})
endfunction()

execute_process(COMMAND ${CMAKE_C_COMPILER} -print-file-name=libc.a OUTPUT_VARIABLE PL_LIBC_A OUTPUT_STRIP_TRAILING_WHITESPACE)
if(IS_ABSOLUTE "${PL_LIBC_A}" AND NOT PLIMSOLL_SANITIZE AND NOT PLIMSOLL_FUZZ)
  set(pl_static_default ON)
else()
  set(pl_static_default OFF)
endif()
option(PLIMSOLL_STATIC "Link the program statically where possible" ${pl_static_default})
set(PL_ALL_ARCHIVES ON)

# pl_prefer_archive(JANSSON jansson): PkgConfig::JANSSON from its archive, if there is one.
macro(pl_prefer_archive prefix name)
  if(PLIMSOLL_STATIC)
    pl_find_archive(PL_ARCHIVE_${prefix} ${name} ${${prefix}_LIBRARY_DIRS})
    if(PL_ARCHIVE_${prefix})
      set_target_properties(PkgConfig::${prefix} PROPERTIES INTERFACE_LINK_LIBRARIES ${PL_ARCHIVE_${prefix}})
    else()
      set(PL_ALL_ARCHIVES OFF)
      message(STATUS "lib${name}.a not found: plimsoll will load lib${name}.so")
    endif()
  endif()
endmacro()

function(pl_program_static target)
  if(PLIMSOLL_STATIC AND PL_ALL_ARCHIVES)
    target_link_options(${target} PRIVATE -static)
    set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    message(STATUS "${target}: linked statically")
  else()
    message(STATUS "${target}: linked dynamically")
  endif()
endfunction()
