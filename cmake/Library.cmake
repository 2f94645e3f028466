# libplimsoll: the rooms below the public header as one static and one shared library, with the
# header and a pkg-config file. Only what PL_API marks is visible in the shared one.
if(NOT TARGET pl_infer)
  return()
endif()

set(library_objects)
foreach(room base os json text hub device program model plan exec infer govern train)
  if(TARGET pl_${room})
    list(APPEND library_objects $<TARGET_OBJECTS:pl_${room}>)
  endif()
endforeach()

add_library(libplimsoll STATIC ${library_objects})
add_library(libplimsoll_shared SHARED ${library_objects})
set_target_properties(libplimsoll libplimsoll_shared PROPERTIES OUTPUT_NAME plimsoll)
set_target_properties(libplimsoll_shared PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
set_target_properties(libplimsoll libplimsoll_shared PROPERTIES LINKER_LANGUAGE C)
foreach(library libplimsoll libplimsoll_shared)
  target_include_directories(${library} INTERFACE ${CMAKE_SOURCE_DIR}/include)
endforeach()
target_link_libraries(libplimsoll INTERFACE PkgConfig::JANSSON Threads::Threads m)
target_link_libraries(libplimsoll_shared PRIVATE PkgConfig::JANSSON Threads::Threads m)
target_link_options(libplimsoll_shared PRIVATE -Wl,--no-undefined -Wl,--exclude-libs,ALL)
if(PLIMSOLL_SANITIZE)
  target_link_options(libplimsoll INTERFACE -fsanitize=${PLIMSOLL_SANITIZE})
  set_target_properties(libplimsoll_shared PROPERTIES LINK_OPTIONS -fsanitize=${PLIMSOLL_SANITIZE})
endif()

configure_file(${CMAKE_SOURCE_DIR}/cmake/plimsoll.pc.in ${CMAKE_BINARY_DIR}/plimsoll.pc @ONLY)
install(TARGETS libplimsoll libplimsoll_shared
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES ${CMAKE_SOURCE_DIR}/include/plimsoll.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES ${CMAKE_BINARY_DIR}/plimsoll.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
